"""--json on a terminal: the same values to a program, and nothing that steers the terminal."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.plain_text import UNPRINTABLE
from worker.commands.screen import print_json, print_json_lists, print_json_rows

STEERING = "\x1b[2J\0\r\n\t\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u2069\u3164\U000e0041"


def test_what_steers_a_terminal_is_escaped_and_read_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": f"Ada{STEERING}Söhne", STEERING: [STEERING, 1, None]}
    print_json(value)
    said = capsys.readouterr().out
    assert json.loads(said) == value
    assert set(UNPRINTABLE.findall(said)) == {"\n"}


def test_letters_of_any_language_stay_readable(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(["Söhne", "Ελλάδα", "日本", "x\u200fy"])
    assert capsys.readouterr().out == '[\n  "Söhne",\n  "Ελλάδα",\n  "日本",\n  "x\u200fy"\n]\n'


@pytest.mark.parametrize("rows", [[], [{"name": f"Ada{STEERING}"}], [{"a": [1, 2]}, {}, None, "b"]])
def test_rows_are_printed_one_by_one_as_they_are_together(
    capsys: pytest.CaptureFixture[str], rows: list[object]
) -> None:
    print_json(rows)
    together = capsys.readouterr().out
    print_json_rows(iter(rows))
    assert capsys.readouterr().out == together
    print_json({"of": "Ada", "a": [], "b": rows})
    together = capsys.readouterr().out
    print_json_lists({"of": "Ada"}, iter([("a", iter(())), ("b", iter(rows))]))
    assert capsys.readouterr().out == together


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 29, 4, 3, 41, tzinfo=UTC),
        datetime(2026, 11, 29, 5, 3, 41, tzinfo=timezone(timedelta(hours=1))),
    ],
    ids=["UTC", "elsewhere"],
)
def test_a_time_has_one_form(capsys: pytest.CaptureFixture[str], at: datetime) -> None:
    print_json({"at": at, "later": at + timedelta(microseconds=5)})
    assert json.loads(capsys.readouterr().out) == {
        "at": "2026-11-29T04:03:41.000000+00:00",
        "later": "2026-11-29T04:03:41.000005+00:00",
    }
