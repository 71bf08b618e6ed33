"""A catalogue file with mistakes is refused with each one's line and reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.rules.currency import exponent
from worker.loading import catalogue_file
from worker.loading.readable_file import FileRefused

GOOD = """\
effective_from: 2026-01-01T00:00:00Z
products:
  board:
    name: Board
    trial_days: 14
    tiers:
      team:
        name: Team
        rank: 1
        prices:
          month: {EUR: "10.00", JPY: "1500", KWD: "3.125"}
          year: {EUR: "100"}
      plus:
        name: Plus
        rank: 2
        prices: {}
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "catalogue.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def refusal(file: Path) -> list[tuple[int, str]]:
    with pytest.raises(FileRefused) as refused:
        catalogue_file.read(file)
    return [(problem.line, problem.reason) for problem in refused.value.problems]


def test_prices_are_minor_units_by_each_currency_s_exponent(write: Write) -> None:
    (board,) = catalogue_file.read(write(GOOD)).products
    team, plus = board.tiers
    assert team.prices == {"month": {"EUR": 1000, "JPY": 1500, "KWD": 3125}, "year": {"EUR": 10000}}
    assert plus.prices == {}
    assert (exponent("EUR"), exponent("JPY"), exponent("KWD")) == (2, 0, 3)


def test_comments_and_order_do_not_make_another_catalogue(write: Write) -> None:
    before = catalogue_file.read(write(GOOD)).checksum
    assert (
        catalogue_file.read(
            write("# new\n" + GOOD.replace('EUR: "10.00", JPY: "1500"', 'JPY: "1500", EUR: "10.00"'))
        ).checksum
        == before
    )
    assert catalogue_file.read(write(GOOD.replace('"10.00"', '"10.01"'))).checksum != before


TEAM = "products.board.tiers.team"

MISTAKES = [
    pytest.param('"10.00"', "10.00", 11, f"{TEAM}.prices.month.EUR: must be a decimal number in quotes such as '10.00', is 10.00 without quotes", id="a float"),
    pytest.param('"10.00"', "10", 11, f"{TEAM}.prices.month.EUR: must be a decimal number in quotes such as '10.00', is 10 without quotes", id="a number without quotes"),
    pytest.param('"10.00"', '"10.001"', 11, f"{TEAM}.prices.month.EUR: 10.001 has more decimals than EUR, which has 2", id="too many decimals"),
    pytest.param('"1500"', '"1500.5"', 11, f"{TEAM}.prices.month.JPY: 1500.5 has more decimals than JPY, which has none", id="decimals where there are none"),
    pytest.param('"10.00"', '"-10.00"', 11, f"{TEAM}.prices.month.EUR: must not be negative, is -10.00", id="a negative price"),
    pytest.param('"10.00"', '"10,00"', 11, f"{TEAM}.prices.month.EUR: must be digits with a point before the decimals such as '10.00', is '10,00'", id="a decimal comma"),
    pytest.param('"10.00"', '"1e3"', 11, f"{TEAM}.prices.month.EUR: must be digits with a point before the decimals such as '10.00', is '1e3'", id="an exponent"),
    pytest.param('"100"', '"999999999999999"', 12, f"{TEAM}.prices.year.EUR: 999999999999999 EUR is too large", id="a price too large"),
    pytest.param("JPY:", "YEN:", 11, f"{TEAM}.prices.month: 'YEN' is not a currency of ISO 4217 with a minor unit; give a code in capitals such as 'EUR'", id="an unknown currency"),
    pytest.param("JPY:", "EUR:", 11, f"{TEAM}.prices.month.EUR: is listed twice, first in line 11", id="a currency twice"),
    pytest.param("year:", "week:", 12, f"{TEAM}.prices.week: unknown key; known are month, year", id="an unknown interval"),
    pytest.param('{EUR: "100"}', "{}", 12, f"{TEAM}.prices.year: has no price", id="an interval without a price"),
    pytest.param("rank: 2", "rank: 1", 13, "products.board.tiers.plus: has rank 1, the same as team in line 7", id="two tiers of one rank"),
    pytest.param("rank: 2", "rank: 010", 15, "products.board.tiers.plus.rank: must be a whole number, is 010", id="an octal number"),
    pytest.param("rank: 2", "rank: 2.5", 15, "products.board.tiers.plus.rank: must be a whole number, is 2.5", id="a rank between two"),
    pytest.param("        rank: 2\n", "", 13, "products.board.tiers.plus: rank is missing", id="a missing rank"),
    pytest.param("name: Plus", "name:", 13, "products.board.tiers.plus: name is missing", id="an empty name"),
    pytest.param("name: Plus", "name: no", 14, "products.board.tiers.plus.name: must be text, is no: put it in quotes, 'no'", id="a name that YAML takes for a boolean"),
    pytest.param("trial_days: 14", "trial_days: 0", 5, "products.board.trial_days: must be from 1 to 365, is 0", id="a trial of no days"),
    pytest.param("trial_days: 14", "trail_days: 14", 5, "products.board.trail_days: unknown key; known are name, tiers, trial_days", id="a misspelled key"),
    pytest.param("  board:", "  The Board:", 3, "products: 'The Board' is not a code: lowercase letters, digits and single hyphens, 60 characters at most", id="a name for a code"),
    pytest.param("00Z", "00", 1, "effective_from: needs a UTC offset: 2026-01-01T00:00:00Z or 2026-01-01T00:00:00+01:00", id="an instant without an offset"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "line", "reason"), MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_reason(
    write: Write, was: str, becomes: str, line: int, reason: str
) -> None:
    assert refusal(write(GOOD.replace(was, becomes, 1))) == [(line, reason)]


def test_every_mistake_is_listed_in_the_order_of_lines(write: Write) -> None:
    broken = GOOD.replace('"10.00"', "10.00").replace("rank: 2", "rank: 1").replace("name: Board", "nam: Board")
    assert [line for line, _ in refusal(write(broken))] == [3, 4, 11, 13]


def test_the_message_is_one_line_a_mistake_with_the_file_s_name(write: Write) -> None:
    file = write(GOOD.replace("rank: 2", "rank: 1"))
    with pytest.raises(
        FileRefused, match=f"^{file}:13: products.board.tiers.plus: has rank 1, the same as team in line 7$"
    ):
        catalogue_file.read(file)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "is empty"),
        ("- board\n", 1, "must be a mapping, is a list"),
        ("products: {}\n", 1, "products: names no product"),
        ("products:\n  board: {name: B, tiers: {}}\n", 2, "products.board.tiers: names no tier"),
        ("products:\n  a: [\n", 3, "not YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML: but found another document"),
        ("products:\n\tboard: 1\n", 2, "not YAML: found character '\\t' that cannot start any token"),
    ],
)
def test_what_is_no_catalogue_at_all_is_refused(write: Write, text: str, line: int, reason: str) -> None:
    assert (line, reason) in refusal(write(text))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("root:x:0:0::/root:/bin/sh\n" * 40, 1, "must be a mapping, is root:x:0:0::/root:/bin/sh root:x:0:0::/root:/bin/sh root:x:0..."),
        (GOOD.replace("rank: 2", "rank: " + "x" * 700), 15, f"products.board.tiers.plus.rank: must be a whole number, is {'x' * 60}..."),
        (GOOD.replace("name: Plus", "name: " + "1" * 700), 14, f"products.board.tiers.plus.name: must be text, is {'1' * 60}...: put it in quotes, '{'1' * 60}...'"),
        (GOOD.replace("10.00", "x" * 700), 11, f"{TEAM}.prices.month.EUR: must be digits with a point before the decimals such as '10.00', is '{'x' * 60}...'"),
    ],
)  # fmt: skip
def test_a_long_value_is_not_repeated_as_the_file_may_be_another_than_was_meant(
    write: Write, text: str, line: int, said: str
) -> None:
    assert refusal(write(text)) == [(line, said)]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.yaml") == [(0, "cannot be read: No such file or directory")]
    (tmp_path / "latin1.yaml").write_bytes("name: Größe".encode("latin-1"))
    assert refusal(tmp_path / "latin1.yaml") == [(0, "cannot be read: it is not UTF-8 text")]


def test_a_list_that_contains_itself_is_refused(write: Write) -> None:
    assert refusal(write("products: &all\n  board: *all\n"))
