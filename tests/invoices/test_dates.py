"""The days that a document names: of issue by the seller's clock, of supply by the clock that decided the rate."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from models.rules.proration import Granularity
from tasks.billing import receivables
from tests.invoices.documents import documents, lines, one, pdf, text_of
from tests.support.vat_outage import during_outage, nothing_differs, turns_out_invalid
from tests.support.world import World, change, purchase


@pytest.mark.parametrize(
    ("minute", "rate", "supplied"),
    [(59, Decimal(22), "30 June 2025"), (60, Decimal(24), "1 July 2025")],
    ids=["the last minute of the old rate", "the first of the new one"],
)
def test_the_date_of_supply_is_the_day_that_decided_the_rate(
    world: World, minute: int, rate: Decimal, supplied: str
) -> None:
    world.time = datetime(2025, 6, 30, 20 + minute // 60, minute % 60, tzinfo=UTC)
    eve = world.customer(country="EE", timezone="America/New_York")
    document = one(world, world.buy(eve, purchase()).id)
    [line] = lines(world, document)
    assert line.tax_rate == rate
    assert f"Date of supply {supplied}" in text_of(pdf(world, document))


def test_a_document_from_before_that_day_was_kept_says_what_it_said(world: World) -> None:
    world.time = datetime(2025, 6, 30, 21, tzinfo=UTC)
    document = one(world, world.buy(world.customer(country="EE", timezone="America/New_York"), purchase()).id)
    document.supplied_on = None
    assert "Date of supply 30 June 2025" in text_of(pdf(world, document))


def test_where_no_rate_is_known_the_date_of_supply_is_the_accounts(world: World) -> None:
    world.time = datetime(2026, 12, 1, 2, tzinfo=UTC)
    ann = world.customer(country="US", timezone="America/New_York")
    assert "Date of supply 30 November 2026" in text_of(pdf(world, one(world, world.buy(ann, purchase()).id)))


def test_a_document_is_dated_by_the_clock_of_the_sellers_country(world: World) -> None:
    world.time = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Berlin
    said = text_of(pdf(world, one(world, world.buy(world.customer(timezone="Europe/Berlin"), purchase()).id)))
    assert "Date of issue 1 December 2026 Date of supply 1 December 2026" in said


def test_a_new_years_numbers_begin_at_the_sellers_midnight(world: World) -> None:
    ada = world.customer()
    world.time = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
    old = one(world, world.buy(ada, purchase("desk")).id)
    world.pass_time(seconds=1)
    new = one(world, world.buy(ada, purchase("chat")).id)
    assert (old.number, old.issued_on) == ("INV-2026-000001", date(2026, 12, 31))
    assert (new.number, new.issued_on) == ("INV-2027-000001", date(2027, 1, 1))
    world.pass_time(days=5)
    note = one(world, world.buy(ada, change("desk", seats=1)).id)
    assert note.number == "CN-2027-000001"


def test_what_corrects_a_document_names_the_days_of_a_credit_as_that_did(world: World) -> None:
    world.policy(granularity=Granularity.DAY)
    world.time = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
    eva, _ = during_outage(world, timezone="UTC")
    world.change_account(eva, timezone="Europe/Berlin")
    world.time = datetime(2026, 11, 16, 12, tzinfo=UTC)
    world.vies.fail("MS_UNAVAILABLE")
    changed = world.buy(eva, change("desk", seats=20))
    world.vies.http.delete("/_control/faults").raise_for_status()
    turns_out_invalid(world)
    told = [text_of(pdf(world, each)) for each in documents(world, changed.id)]
    assert len(told) == 3
    for said in told:
        assert "16 November 2026 – 1 December 2026 15 of 30 days of €100.00 charged on INV-2026-000001" in said
    assert nothing_differs(world)


def test_an_invoice_can_be_paid_in_the_first_hour_of_its_day(world: World) -> None:
    world.policy(invoice_on_vat=True)
    world.time = datetime(2026, 11, 30, 23, tzinfo=UTC)
    eva = world.customer(card=None, vat_number="DE136695976")
    number = one(world, world.buy(eva, purchase()).id).number
    with world.begin() as session:
        assert receivables.mark_paid(session, number, on=world.time, by="ops").settled_at == world.time
