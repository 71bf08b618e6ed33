"""What documents charge and credit, line by line with its period, adds up to them and to what is earned by a day."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from models.invoices import Invoice
from models.rules.period import Interval
from models.rules.proration import Granularity
from tasks.closing.document_lines import DocumentLine, document_lines
from tasks.policy import VatOutage
from tests.support.payment import refund
from tests.support.vat_outage import NUMBER, ask_again, during_outage
from tests.support.world import World, change, purchase, trial
from worker.commands.documents import documents

FIRST, LAST = date(2026, 1, 1), date(2028, 12, 31)
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(documents, ["lines", *words])


def listed(world: World) -> list[DocumentLine]:
    with world.begin() as session:
        return list(document_lines(session, FIRST, LAST))


def told(found: Sequence[DocumentLine]) -> list[tuple[Any, ...]]:
    return [
        (each.number, each.tier, each.seats, f"{each.from_on:%d.%m.}", f"{each.to_on:%d.%m.}", each.net_minor)
        for each in found
    ]


def assert_each_document_is_the_sum_of_its_rows(world: World) -> None:
    sums: dict[str, tuple[int, int]] = {each.number: (0, 0) for each in world.rows(Invoice)}
    for each in listed(world):
        net, tax = sums[each.number]
        sums[each.number] = net + each.net_minor, tax + each.vat_minor
    assert sums == {each.number: (each.net_minor, each.tax_minor) for each in world.rows(Invoice)}


def test_a_charge_and_a_credit_each_have_their_period(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=20), trial("chat"))
    found = listed(world)
    assert told(found) == [
        ("INV-2026-000001", "team", 10, "01.11.", "01.12.", 100_00),
        ("INV-2026-000002", "team", 20, "16.11.", "16.12.", 200_00),
        ("INV-2026-000002", "team", 10, "16.11.", "01.12.", -50_00),
    ]
    assert [each.vat_minor for each in found] == [19_00, 38_00, -9_50]
    assert [each.amends for each in found] == [None, None, "INV-2026-000001"]
    assert (found[2].from_at, found[2].to_at) == (world.time, datetime(2026, 12, 1, 9, tzinfo=UTC))
    assert_each_document_is_the_sum_of_its_rows(world)


def by_days(line: DocumentLine, day: date) -> Fraction:
    """What of it is earned after the day, as the page on closing a month computes it for a seller whose credits are counted in days."""
    assert line.to_on is not None
    left = line.to_on - max(line.from_on, day + timedelta(days=1))
    return Fraction(line.net_minor * max(left.days, 0), (line.to_on - line.from_on).days)


def by_seconds(line: DocumentLine, day: date) -> Fraction:
    """The same for one whose credits are counted in seconds."""
    assert line.to_at is not None
    day_is_over = datetime.combine(day + timedelta(days=1), time(), ZoneInfo("Europe/Berlin"))
    left = line.to_at - max(line.from_at, day_is_over)
    whole = line.to_at - line.from_at
    return Fraction(line.net_minor * max(left // SECOND, 0), whole // SECOND)


def test_what_a_change_credits_of_a_period_is_not_deferred_any_more(world: World) -> None:
    world.policy(granularity=Granularity.DAY)
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10, interval=Interval.YEAR))
    world.pass_time(days=73)
    world.buy(ada, change("desk", seats=20))
    sold, anew, credited = listed(world)
    assert (sold.net_minor, anew.net_minor, credited.net_minor) == (1000_00, 2000_00, -800_00)
    new_year, changed = date(2026, 12, 31), credited.from_on
    assert by_days(sold, new_year) == Fraction(1000_00 * 304, 365)
    assert [by_days(sold, day) + by_days(credited, day) for day in (changed, date(2027, 7, 1))] == [0, 0]
    assert by_days(anew, changed) == Fraction(2000_00 * 364, 365)


@pytest.mark.parametrize(
    ("granularity", "deferred", "credit"),
    [(Granularity.SECOND, by_seconds, 2432_69), (Granularity.DAY, by_days, 2419_73)],
)
def test_a_credit_cancels_out_what_it_takes_back_at_any_time_of_day(
    world: World, granularity: Granularity, deferred: Callable[[DocumentLine, date], Fraction], credit: int
) -> None:
    """But for the half cent by which the credit is rounded."""
    world.policy(granularity=granularity)
    world.time = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=48, interval=Interval.YEAR))
    world.time = datetime(2026, 7, 1, 0, 10, tzinfo=UTC)
    world.buy(ada, change("desk", seats=47))
    sold, _, credited = listed(world)
    assert (sold.net_minor, credited.net_minor) == (4800_00, -credit)
    ends = [date(2026, month, 28) for month in range(7, 13)] + [date(2026, 7, 31), date(2027, 1, 1)]
    assert max(abs(deferred(sold, day) + deferred(credited, day)) for day in ends) < Fraction(1, 2)


def test_days_are_those_of_the_zone_in_which_the_document_prints_them(world: World) -> None:
    world.time = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    world.buy(world.customer(timezone="America/New_York"), purchase())
    [line] = listed(world)
    assert (line.from_on, line.to_on, line.from_at) == (date(2026, 11, 1), date(2026, 12, 1), world.time)


def test_a_refund_takes_back_each_row_of_what_it_reverses(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    world.pass_time(days=3)
    refund(world, order.id)
    back, sold = listed(world)[::-1]
    assert (back.number, back.amends, back.net_minor, back.vat_minor) == (
        *("CN-2026-000001", "INV-2026-000001"),
        *(-100_00, -19_00),
    )
    assert (back.from_on, back.to_on, sold.net_minor) == (sold.from_on, sold.to_on, 100_00)
    assert_each_document_is_the_sum_of_its_rows(world)


@pytest.mark.parametrize(("policy", "status"), [(VatOutage.PROVISIONAL, "invalid"), (VatOutage.CHARGE_VAT, "valid")])
def test_a_correction_of_vat_changes_no_net_in_any_period(world: World, policy: VatOutage, status: str) -> None:
    eva, _ = during_outage(world, policy)
    world.pass_time(days=15)
    world.change_account(eva, vat_number="ATU66664013")
    world.vies.register("ATU66664013", status="valid")
    world.buy(eva, change("desk", seats=20))
    before = net_by_period(world)
    world.vies.register(NUMBER, status=status)
    ask_again(world, minutes=60 * 24 * 6)
    assert len(world.rows(Invoice)) > 2
    assert net_by_period(world) == before
    assert_each_document_is_the_sum_of_its_rows(world)


def net_by_period(world: World) -> dict[tuple[Any, ...], int]:
    sums: dict[tuple[Any, ...], int] = {}
    for each in listed(world):
        period = each.from_at, each.to_at
        sums[period] = sums.get(period, 0) + each.net_minor
    return sums


def test_a_program_and_a_spreadsheet_read_the_same_and_a_person_the_days(world: World) -> None:
    world.buy(world.customer(name="=1+1"), purchase())
    days = ("--from", "2026-11-01", "--to", "2026-11-30")
    [told] = json.loads(run(*days, "--json").stdout)
    [read] = csv.DictReader(io.StringIO(run(*days, "--csv").stdout))
    assert list(told) == [name for name in read if name in told]
    assert (told["product"], told["tier"], told["interval"], told["net_minor"]) == ("desk", "team", "month", 100_00)
    assert (told["from_on"], told["to_on"], told["from_at"]) == (
        *("2026-11-01", "2026-12-01"),
        "2026-11-01T09:00:00.000000+00:00",
    )
    assert (read["from_at"], read["amends"], read["buyer"]) == (told["from_at"], "", "'=1+1")
    assert (read["net"], read["vat_minor"], read["vat"]) == ("100.00", "1900", "19.00")
    [_, seen] = run(*days).stdout.splitlines()
    assert seen.split() == [
        *("INV-2026-000001", "2026-11-01", "=1+1", "desk", "team", "10", "2026-11-01", "2026-12-01"),
        *("100.00", "19.00", "EUR"),
    ]
    assert run("--from", "2026-12-01", "--to", "2026-12-31").stdout == (
        "No document was issued from 2026-12-01 to 2026-12-31.\n"
    )


def test_wrong_words_are_refused() -> None:
    assert run("--from", "2026-11-02", "--to", "2026-11-01").exit_code == 2
    assert run("--from", "2026-11-01", "--to", "2026-11-01", "--json", "--csv").exit_code == 2
