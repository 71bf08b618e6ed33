"""Numbers that a lost database had given are recorded with a reason, and explain what is missing of their series; nothing else is explained by them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from models.invoice_numbers import InvoiceNumber
from models.invoices import InvoiceSeries
from tasks import wiring
from tasks.billing import lost_documents, receivables
from tasks.billing.lost_documents import NotLost, UnknownDocument
from tasks.errors import behind_a_lock
from tests.invoices.documents import one
from tests.support import books
from tests.support.world import World, purchase
from worker.commands import invoices as command

RESTORED = ("--why", "restored the backup of 28 November", "--by", "olga")


@pytest.fixture(autouse=True)
def _logs_aside(plugged_in: None) -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def restored(world: World) -> World:
    """Two invoices are here, and two more of a database that was lost; the series goes on safely beyond, at 8."""
    for _ in range(2):
        world.buy(world.customer(), purchase())
    with world.begin() as session:
        session.get_one(InvoiceSeries, ("INV", 2026)).last_sequence = 7
    return world


def run(*words: str) -> Result:
    return CliRunner().invoke(command.invoices, list(words))


def numbers(world: World) -> list[tuple[str, str, str, str]]:
    return [(d.where, d.what, d.expected, d.found) for d in books.differences(world)]


def record(world: World, first: int, last: int, *, series: str = "INV", year: int = 2026) -> None:
    with world.begin() as session:
        ends = InvoiceNumber(series, year, first), InvoiceNumber(series, year, last)
        lost_documents.record_loss(session, *ends, by="olga", why="restored")


COUNT = "count, first and last of its numbers"


def test_numbers_recorded_as_lost_are_explained_and_the_series_goes_on(restored: World) -> None:
    assert numbers(restored) == [("series INV of 2026", COUNT, "[7, 1, 7]", "[2, 1, 2]")]
    record(restored, 3, 7)
    assert numbers(restored) == []
    assert one(restored, restored.buy(restored.customer(), purchase()).id).number == "INV-2026-000008"
    assert numbers(restored) == []


@pytest.mark.parametrize(
    ("ranges", "found"),
    [([(4, 7)], "[6, 1, 7]"), ([(3, 6)], "[6, 1, 6]"), ([(3, 3), (5, 7)], "[6, 1, 7]"), ([(6, 6)], "[3, 1, 6]")],
)
def test_any_other_gap_is_still_named(restored: World, ranges: list[tuple[int, int]], found: str) -> None:
    for first, last in ranges:
        record(restored, first, last)
    assert numbers(restored) == [("series INV of 2026", COUNT, "[7, 1, 7]", found)]


def test_a_series_of_which_nothing_is_left_is_explained(world: World) -> None:
    with world.begin() as session:
        session.add(InvoiceSeries(series="CN", year=2026, last_sequence=3))
    record(world, 1, 3, series="CN")
    assert numbers(world) == []


def test_a_document_under_a_number_that_was_lost_is_named(restored: World) -> None:
    record(restored, 3, 7)
    with restored.begin() as session:
        session.get_one(InvoiceSeries, ("INV", 2026)).last_sequence = 6
    assert one(restored, restored.buy(restored.customer(), purchase()).id).number == "INV-2026-000007"
    assert numbers(restored) == [("invoice INV-2026-000007", "its number", "recorded as lost", "given again")]


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ({"first": 2, "last": 3}, "INV-2026-000002 is not lost: its document is here"),
        ({"first": 3, "last": 8}, "INV-2026-000008 was not given yet: INV-2026-000007 is the last of its series"),
        ({"first": 1, "last": 1, "year": 2025}, "INV-2025-000001 was not given yet: its series has no number in that year"),
        ({"first": 1, "last": 1, "series": "CN"}, "CN-2026-000001 was not given yet: its series has no number in that"),
        ({"first": 5, "last": 4}, "from INV-2026-000005 to INV-2026-000004 is no range of one series and year"),
        ({"first": 0, "last": 4}, "from INV-2026-000000 to INV-2026-000004 is no range of one series and year"),
        ({"first": 5, "last": 7}, "recorded as lost already: INV-2026-000004 to INV-2026-000005, by olga: restored"),
        ({"first": 3, "last": 4}, "recorded as lost already: INV-2026-000004 to INV-2026-000005, by olga: restored"),
    ],
)  # fmt: skip
def test_what_is_not_lost_is_not_recorded(restored: World, ends: Mapping[str, Any], why: str) -> None:
    record(restored, 4, 5)
    with pytest.raises(NotLost, match=re.escape(why)):
        record(restored, **ends)
    with restored.begin() as session:
        assert len(lost_documents.losses(session)) == 1


@pytest.mark.parametrize("first", [InvoiceNumber("CN", 2026, 3), InvoiceNumber("INV", 2025, 3)])
def test_two_series_and_two_years_are_no_range(restored: World, first: InvoiceNumber) -> None:
    give_others(restored)
    ends = first, InvoiceNumber("INV", 2026, 7)
    with restored.begin() as session, pytest.raises(NotLost, match="is no range of one series and year"):
        lost_documents.record_loss(session, *ends, by="olga", why="restored")


def give_others(world: World) -> None:
    """Numbers of another series, and of another year."""
    with world.begin() as session:
        session.add(InvoiceSeries(series="CN", year=2026, last_sequence=7))
        session.add(InvoiceSeries(series="INV", year=2025, last_sequence=7))


def test_what_is_here_or_lost_of_another_series_or_year_says_nothing_about_the_same_numbers(restored: World) -> None:
    give_others(restored)
    record(restored, 4, 5)
    with restored.begin() as session:
        for number in ("CN-2026-000005", "INV-2025-000005"):
            with pytest.raises(UnknownDocument, match=f"^{number} was given, but its document is not here"):
                lost_documents.numbered(session, number)
    record(restored, 1, 5, series="CN")
    record(restored, 1, 5, year=2025)
    with restored.begin() as session:
        found = [(loss.series, loss.year, loss.first, loss.last) for loss in lost_documents.losses(session)]
    assert found == [("CN", 2026, 1, 5), ("INV", 2025, 1, 5), ("INV", 2026, 4, 5)]


def test_who_records_numbers_waits_for_whoever_records_others_of_their_series(restored: World) -> None:
    def record_next(session: Session, first: int) -> None:
        ends = InvoiceNumber("INV", 2026, first), InvoiceNumber("INV", 2026, first + 2)
        lost_documents.record_loss(session, *ends, by="olga", why="restored")

    with restored.begin() as session:
        record_next(session, 3)
        with restored.impatient(), pytest.raises(OperationalError) as waited, wiring.begin() as another:
            record_next(another, 4)
    assert behind_a_lock(waited.value)
    with restored.begin() as session, pytest.raises(NotLost, match="recorded as lost already"):
        record_next(session, 4)


def test_the_command_records_and_lists_them_for_people_and_programs(restored: World) -> None:
    assert run("losses").stdout == "No number is recorded as lost.\n"
    assert run("lost", "inv-2026-000003", "INV-2026-000006", *RESTORED).stdout == (
        "Recorded as lost (4 in all): INV-2026-000003 to INV-2026-000006, by olga: restored the backup of 28 November\n"
    )
    told = json.loads(run("lost", "INV-2026-7", *RESTORED, "--json").stdout)
    at = restored.time.isoformat(timespec="microseconds")
    assert told == {
        "first": "INV-2026-000007",
        "last": "INV-2026-000007",
        "recorded_at": at,
        "recorded_by": "olga",
        "recorded_why": "restored the backup of 28 November",
    }
    assert json.loads(run("losses", "--json").stdout)[1] == told
    listed = [line.split()[:3] for line in run("losses").stdout.splitlines()]
    assert listed[1:] == [["INV-2026-000003", "INV-2026-000006", "4"], ["INV-2026-000007", "INV-2026-000007", "1"]]


@pytest.mark.parametrize(
    "words", [["17"], ["INV-2026"], ["INV-2026-000000"], ["INV-2026-000003", "x"], ["INV-2026-000003", "--why", " "]]
)
def test_what_is_no_number_or_no_reason_is_refused(words: list[str]) -> None:
    assert run("lost", *RESTORED, *words).exit_code == 2


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("INV-2026-000003", 'was given, but its document is not here: was a backup restored that is older? '),
        ("INV-2026-000004", "is not here, it is recorded as lost: INV-2026-000004 to INV-2026-000005, by olga: restored"),
        ("INV-2026-000008", "there is no invoice INV-2026-000008 yet: INV-2026-000007 is the last of its series"),
        ("INV-2025-000001", "there is no invoice INV-2025-000001 yet: its series has no number in that year"),
        ("INV-2026-000000", "INV-2026-000000 is no number of an invoice: they look like INV-2026-000001"),
        ("4711", "4711 is no number of an invoice: they look like INV-2026-000001"),
    ],
)  # fmt: skip
def test_whoever_records_a_transfer_for_a_number_without_a_document_learns_why(
    restored: World, number: str, why: str
) -> None:
    record(restored, 4, 5)
    with restored.begin() as session, pytest.raises(UnknownDocument, match=re.escape(why)):
        receivables.mark_paid(session, number, on=restored.time, by="olga")


@pytest.mark.parametrize(
    "statement", ["update lost_numbers set last = 9", "delete from lost_numbers", "truncate lost_numbers"]
)
def test_the_database_refuses_to_change_the_record(restored: World, statement: str) -> None:
    record(restored, 3, 7)
    with pytest.raises(Exception, match="the record of lost numbers never changes"), restored.begin() as session:
        session.execute(text(statement))


def test_what_no_database_takes_is_kept_as_well_as_it_can_be(restored: World) -> None:
    assert run("lost", "INV-2026-000003", "--why", "re\udcff\nstored", "--by", "o" * 300).exit_code == 0
    with restored.begin() as session:
        [loss] = lost_documents.losses(session)
    assert (loss.recorded_why, loss.recorded_by) == ("re? stored", "o" * 200)
