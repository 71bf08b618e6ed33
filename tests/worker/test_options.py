"""Who did it and why: the user's name, or "operator" where the system has none for the number a container runs as; never blank."""

import getpass
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from worker.cli import app as prorata
from worker.commands import cases, invoices, ledger, orders, webhooks
from worker.commands.options import By, time_in_utc

RUNNER = CliRunner()
WIDE = {"COLUMNS": "200"}
app = typer.Typer()


@app.command()
def who(by: By) -> None:
    typer.echo(by)


def test_the_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert RUNNER.invoke(app).stdout == "ada\n"


def test_another_name_can_be_given() -> None:
    assert RUNNER.invoke(app, ["--by", "bob"]).stdout == "bob\n"


@pytest.mark.parametrize("error", [KeyError, OSError], ids=["until Python 3.12", "since"])
def test_a_user_without_a_name_is_the_operator(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def nobody() -> str:
        raise error("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert RUNNER.invoke(app).stdout == "operator\n"


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (cases.cases, ["close", "1", "--why", "agreed", "--by", " "]),
        (cases.cases, ["close", "1", "--why", " "]),
        (invoices.invoices, ["paid", "INV-2026-000001", "--by", ""]),
        (orders.orders, ["cancel", "1001", "--by", "\t"]),
        (orders.orders, ["cancel", "1001", "--why", ""]),
        (orders.orders, ["cancel", "1001", "--why", "\u3164"]),
        (orders.orders, ["cancel", "1001", "--by", "\u2028\x01"]),
        (orders.orders, ["refund", "1001", "--why", " "]),
        (orders.orders, ["resume", "1001", "--by", " "]),
        (orders.orders, ["refunded-outside", "1001", "--why", "by transfer", "--by", " "]),
        (webhooks.webhooks, ["dismiss", "evt_1", "--why", "a test", "--by", " "]),
    ],
)
def test_who_did_it_and_why_may_not_be_blank(group: typer.Typer, words: list[str]) -> None:
    refused = RUNNER.invoke(group, words)
    assert refused.exit_code == 2
    assert "must not be blank" in refused.output


def arguments(command: Any) -> Iterator[str]:
    """As the help names them; it puts brackets around each."""
    for inner in getattr(command, "commands", {}).values():
        yield from arguments(inner)
    yield from (each.metavar or each.name for each in command.params if each.param_type_name == "argument")


def test_every_argument_is_named_alike() -> None:
    there_are = set(arguments(typer.main.get_command(prorata)))
    assert {"ORDER", "FILE", "NUMBER"} <= there_are
    assert {each for each in there_are if not re.fullmatch("[A-Z]+", each)} == set()


@pytest.mark.parametrize("given", ["foo", "", "28.11.2026", "2026-02-30", "2026-11-28T14:30"])
def test_what_is_no_day_is_refused_with_what_one_looks_like(given: str) -> None:
    refused = RUNNER.invoke(invoices.invoices, ["paid", "INV-2026-000001", "--on", given], env=WIDE)
    assert (refused.exit_code, "must be a day like 2026-11-28" in refused.output) == (2, True)
    assert "Value error" not in refused.output


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("given", ["yesterday", "2026-11-28 14:30", "2026-11-28T14:30+01:00"])
def test_what_is_no_time_is_refused_with_what_one_looks_like(option: str, given: str) -> None:
    refused = RUNNER.invoke(ledger.ledger, ["reconcile", option, given], env=WIDE)
    assert refused.exit_code == 2
    assert "must be a time in UTC like 2026-11-28 or 2026-11-28T14:30" in refused.output


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-11-28", datetime(2026, 11, 28, tzinfo=UTC)),
        ("2026-11-28T14:30", datetime(2026, 11, 28, 14, 30, tzinfo=UTC)),
        ("2026-11-28T14:30:05", datetime(2026, 11, 28, 14, 30, 5, tzinfo=UTC)),
        ("2026-11-28T14:30:05Z", datetime(2026, 11, 28, 14, 30, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_in_utc(given: str, meant: datetime) -> None:
    assert time_in_utc(given) == meant
