"""A quarter's return for the one-stop shop: its own sales, and apart from them what corrects those of earlier quarters."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from models.rules.period import Interval
from models.rules.vat import BuyerType
from models.states import Step
from tasks.closing.documents import DocumentLevy
from tests.closing.test_documents import listed, run
from tests.support.payment import refund
from tests.support.vat_outage import NUMBER, ask_again, during_outage
from tests.support.world import Customer, World, change, purchase

Q4 = ("--from", "2026-10-01", "--to", "2026-12-31", "--sum", "--oss")
Q1 = ("--from", "2027-01-01", "--to", "2027-03-31", "--sum", "--oss")
BEFORE = ("--from", "2025-04-01", "--to", "2025-06-30")
AFTER = ("--from", "2025-07-01", "--to", "2025-09-30")
"""On 1 July 2025 the rate of Estonia rose from 22 to 24 %."""

pytestmark = pytest.mark.usefixtures("plugged_in")


def told(*words: str) -> list[tuple[Any, ...]]:
    return [tuple(each.values()) for each in json.loads(run(*words, "--json").stdout)]


def consumer(world: World, country: str = "AT") -> Customer:
    return world.customer(country=country, buyer_type=BuyerType.CONSUMER)


def amended(found: Sequence[DocumentLevy]) -> list[tuple[Any, ...]]:
    return [(each.number, each.amends, each.sale_supplied_on, each.net_minor, each.vat_minor) for each in found]


def test_a_credit_of_an_earlier_quarter_is_no_negative_sale_but_corrects_that_quarter(world: World) -> None:
    """Of what December declared, January credits 19.35 and 931.51. It also sells for 200.00, which it credits at once, for 10.00 and for 300.00."""
    world.time = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
    eva, leo = consumer(world), consumer(world)
    world.buy(eva, purchase("desk", "team", seats=10, interval=Interval.YEAR))
    world.buy(leo, purchase("desk", "team", seats=10))
    world.time = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
    world.buy(leo, change("desk", seats=20))
    world.buy(eva, change("desk", seats=1, interval=Interval.MONTH))
    world.buy(leo, change("desk", seats=30))
    assert told(*Q4) == [(None, "AT", "20", "EUR", 1100_00, 220_00)]
    assert told(*Q1) == [
        (None, "AT", "20", "EUR", 310_00, 62_00),
        ("2026-Q4", "AT", None, "EUR", -950_86, -190_17),
    ]


def test_what_an_invoice_credits_is_a_row_of_its_own_that_names_what_charged_it(world: World) -> None:
    leo = consumer(world)
    world.buy(leo, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.buy(leo, change("desk", seats=20))
    first, second = date(2026, 11, 1), date(2026, 11, 16)
    assert amended(listed(world)) == [
        ("INV-2026-000001", None, first, 100_00, 20_00),
        ("INV-2026-000002", None, second, 200_00, 40_00),
        ("INV-2026-000002", "INV-2026-000001", first, -50_00, -10_00),
    ]
    assert told(*Q4) == [(None, "AT", "20", "EUR", 250_00, 50_00)]


def test_a_refund_in_a_later_quarter_corrects_that_of_its_sale(world: World) -> None:
    order = world.buy(consumer(world), purchase())
    world.time = datetime(2027, 1, 10, 9, 0, tzinfo=UTC)
    refund(world, order.id)
    assert told(*Q1) == [("2026-Q4", "AT", None, "EUR", -100_00, -20_00)]


def test_vat_that_is_charged_later_belongs_to_the_quarter_of_the_sale_and_so_do_its_credits(world: World) -> None:
    """The number was taken on trust on 31 December; in January VAT is charged, and half of the month then credited."""
    world.time = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)
    eva, _ = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=60 * 24)
    assert told(*Q4) == []
    assert told(*Q1) == [("2026-Q4", "AT", None, "EUR", 100_00, 20_00)]
    world.change_account(eva, vat_number=None)
    world.time = datetime(2027, 1, 16, 8, 0, tzinfo=UTC)
    world.buy(eva, change("desk", seats=20))
    [credit] = [each for each in listed(world) if each.amends == "INV-2027-000001"]
    assert (credit.number, credit.sale_supplied_on) == ("INV-2027-000002", date(2026, 12, 31))
    assert told(*Q1) == [
        (None, "AT", "20", "EUR", 200_00, 40_00),
        ("2026-Q4", "AT", None, "EUR", 100_00 + credit.net_minor, 20_00 + credit.vat_minor),
    ]


def test_a_sale_is_in_the_quarter_whose_rate_it_has_if_the_seller_has_not_begun_that_yet(world: World) -> None:
    """In Berlin it is 23:30 on 30 June, in Tallinn 00:30 on 1 July. What is taken back of it at once is of that quarter, too."""
    world.time = datetime(2025, 6, 30, 21, 30, tzinfo=UTC)
    order = world.buy(consumer(world, "EE"), purchase("desk", "team", seats=10))
    assert told(*BEFORE, "--sum", "--oss") == []
    assert told(*AFTER, "--sum", "--oss") == [(None, "EE", "24", "EUR", 100_00, 24_00)]
    refund(world, order.id)
    assert told(*BEFORE, "--sum", "--oss") == []
    assert told(*AFTER, "--sum", "--oss") == [(None, "EE", "24", "EUR", 0, 0)]


def test_a_sale_is_in_the_quarter_whose_rate_it_has_if_its_document_is_late(world: World) -> None:
    """It was paid in advance on 30 June, and activated on 3 July, after an outage."""
    world.time = datetime(2025, 6, 30, 20, 0, tzinfo=UTC)
    order_id = world.place(consumer(world, "EE"), purchase("desk", "team", seats=10, interval=Interval.YEAR))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.time = datetime(2025, 7, 3, 8, 0, tzinfo=UTC)
    world.go_on(order_id)
    assert told(*BEFORE, "--sum", "--oss") == [(None, "EE", "22", "EUR", 1000_00, 220_00)]
    assert told(*AFTER, "--sum", "--oss") == []
    refund(world, order_id)
    assert told(*BEFORE, "--sum", "--oss") == [(None, "EE", "22", "EUR", 1000_00, 220_00)]
    assert told(*AFTER, "--sum", "--oss") == [("2025-Q2", "EE", None, "EUR", -1000_00, -220_00)]


def test_what_a_late_change_credits_stays_with_its_document_and_names_the_quarter_that_it_corrects(
    world: World,
) -> None:
    """Sold in the first quarter, changed and paid in the second, activated in the third."""
    world.time = datetime(2025, 3, 20, 20, 0, tzinfo=UTC)
    eva = consumer(world, "EE")
    world.buy(eva, purchase("desk", "team", seats=10, interval=Interval.YEAR))
    world.time = datetime(2025, 6, 30, 20, 0, tzinfo=UTC)
    late = world.place(eva, change("desk", seats=20))
    world.run(late, until=Step.ACTIVATE_SUBSCRIPTION)
    world.time = datetime(2025, 7, 3, 8, 0, tzinfo=UTC)
    world.go_on(late)
    assert [each[:4] for each in told(*BEFORE, "--sum", "--oss")] == [
        (None, "EE", "22", "EUR"),
        ("2025-Q1", "EE", None, "EUR"),
    ]
    assert told(*AFTER, "--sum", "--oss") == []


def test_the_documents_behind_a_quarters_return_are_listed_by_the_same_day(world: World) -> None:
    world.time = datetime(2025, 6, 30, 21, 30, tzinfo=UTC)
    world.buy(consumer(world, "EE"), purchase())
    [row] = json.loads(run(*AFTER, "--by", "taxed", "--json").stdout)
    assert (row["issued_on"], row["supplied_on"], row["sale_supplied_on"]) == ("2025-06-30", "2025-07-01", "2025-07-01")
    assert run(*BEFORE, "--by", "taxed").stdout == "No such document was taxed from 2025-04-01 to 2025-06-30.\n"


def test_only_what_is_taxed_in_another_state_is_in_the_return(world: World) -> None:
    world.buy(world.customer(country="DE"), purchase())
    world.buy(world.customer(country="AT", vat_number=NUMBER), purchase())
    assert told(*Q4) == []
    assert run(*Q4).stdout == "Nothing was sold or corrected from 2026-10-01 to 2026-12-31.\n"


def test_a_person_reads_which_quarter_is_corrected(world: World) -> None:
    order = world.buy(consumer(world), purchase())
    world.time = datetime(2027, 1, 10, 9, 0, tzinfo=UTC)
    refund(world, order.id)
    world.buy(consumer(world), purchase())
    assert [line.split() for line in run(*Q1).stdout.splitlines()] == [
        ["corrects", "country", "rate", "net", "VAT"],
        ["AT", "20", "100.00", "20.00", "EUR"],
        ["2026-Q4", "AT", "-100.00", "-20.00", "EUR"],
    ]
    assert run(*Q1, "--csv").stdout.splitlines() == [
        "corrects_quarter,tax_country,rate,currency,net_minor,net,vat_minor,vat",
        *(",AT,20,EUR,10000,100.00,2000,20.00", "2026-Q4,AT,,EUR,-10000,-100.00,-2000,-20.00"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*Q1[:-2], "--oss"), "--oss goes with --sum"),
        (("--from", "2027-01-01", "--to", "2027-02-28", *Q1[4:]), "--oss needs a quarter: 2027-01-01 to 2027-03-31"),
        (("--from", "2026-11-02", "--to", "2027-03-31", *Q1[4:]), "--oss needs a quarter: 2026-10-01 to 2026-12-31"),
        ((*Q1, "--by", "supplied"), "--oss takes all documents of a quarter"),
        ((*Q1, "--reason", "order"), "--oss takes all documents of a quarter"),
        ((*Q1, "--by-vat-number"), "choose one: --oss or --by-vat-number"),
    ],
)
def test_what_would_be_another_return_is_refused(words: Sequence[str], said: str) -> None:
    refused = run(*words)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.replace("│", " ").split())
