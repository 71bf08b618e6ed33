"""What was invoiced is what was paid, is owed, or was balance."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.withdrawn_payments import WithdrawnPayment
from tasks.billing import receivables, unpaid
from tasks.billing.lost_documents import UnknownDocument
from tasks.closing.open_invoices import open_invoices
from tasks.operating.order_at_hand import NotPossible
from tasks.policy import VatOutage
from tests.closing.equation import equation
from tests.invoices.documents import documents
from tests.support.payment import refund
from tests.support.vat_outage import (
    ask_again,
    corrected_invoice,
    during_outage,
    nothing_differs,
    turns_out_invalid,
)
from tests.support.world import MONTH, Customer, World, change, purchase

LONG = os.environ.get("PRORATA_LONG") == "1"
EXAMPLES = 300 if LONG else 8


def holds(world: World) -> bool:
    return all(invoiced == settled for _, invoiced, settled in equation(world))


def test_the_equation_holds_where_balance_was_granted_made_spent_and_rounded(world: World) -> None:
    ada, eve = world.customer(), world.customer(currency="KWD", country="KW")
    world.grant(ada, 19_00)
    world.buy(ada, purchase("desk", seats=10))
    world.reprice("desk", "team", MONTH, 10_003)
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=1))
    world.buy(ada, purchase("wiki", "basic", seats=1))
    world.buy(eve, purchase("desk", seats=3))
    assert [each[0] for each in equation(world)] == ["EUR", "KWD"]
    assert holds(world)


def test_the_equation_holds_after_a_refund(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    refund(world, world.buy(ada, purchase()).id)
    assert (equation(world), world.balance(ada)) == ([("EUR", 0, 0)], 19_00)


def test_the_equation_holds_while_vat_is_owed_once_it_is_paid_and_when_it_has_become_balance(world: World) -> None:
    _, order = corrected_invoice(world)
    assert equation(world) == [("EUR", 120_00, 120_00)]
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
    assert equation(world) == [("EUR", 120_00, 120_00)]
    refund(world, order.id)
    assert equation(world) == [("EUR", 0, 0)]


def test_the_equation_holds_where_vat_has_become_balance(world: World) -> None:
    eva, _ = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    assert (equation(world), world.balance(eva)) == ([("EUR", 100_00, 100_00)], 20_00)


def test_the_equation_holds_for_an_invoice_that_was_replaced(world: World) -> None:
    world.policy(invoice_on_vat=True)
    during_outage(world, card=None)
    turns_out_invalid(world)
    assert equation(world) == [("EUR", 120_00, 120_00)]


def pay(world: World, number: str) -> None:
    with suppress(receivables.NothingOwed, UnknownDocument), world.begin() as session:
        receivables.mark_paid(session, number, on=world.time, by="ops")


def withdraw(world: World, number: str, *, days_ago: int = 0) -> None:
    on = world.time - timedelta(days=days_ago)
    with suppress(unpaid.NotPaid, receivables.WrongDay, UnknownDocument), world.begin() as session:
        unpaid.mark_unpaid(session, number, on=on, by="ops", why="called back")


def owed(world: World, customer: Customer, on: date | None = None) -> int:
    seller = world.wiring.policy.seller
    with world.begin() as session:
        found = open_invoices(session, today=seller.day(world.time), on=on, seller=seller)
    return sum(each.amount_minor for each in found if each.account_id == customer.account_id)


def withdrawn(world: World) -> Counter[tuple[int, datetime]]:
    """How much is owed again, since when."""
    return Counter((each.amount_minor, each.unpaid_at) for each in world.rows(WithdrawnPayment))


PAID, NOT_PAID, REPLACED = "the first is paid", "the first is not paid", "the number is invalid"
HAPPENS: dict[str, Callable[[World, UUID], None]] = {
    PAID: lambda world, order_id: pay(world, documents(world, order_id)[0].number),
    "the last is paid": lambda world, order_id: pay(world, documents(world, order_id)[-1].number),
    NOT_PAID: lambda world, order_id: withdraw(world, documents(world, order_id)[0].number),
    "the last is not paid": lambda world, order_id: withdraw(world, documents(world, order_id)[-1].number),
    "the first was called back": lambda world, order_id: withdraw(world, documents(world, order_id)[0].number, days_ago=2),
    "the last was called back": lambda world, order_id: withdraw(world, documents(world, order_id)[-1].number, days_ago=2),
    REPLACED: lambda world, _: turns_out_invalid(world),
    "refunded": lambda world, order_id: refund(world, order_id),
}  # fmt: skip


@settings(
    max_examples=EXAMPLES, derandomize=not LONG, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # fmt: skip
@example(by_card=False, history=[PAID, REPLACED, NOT_PAID, PAID, NOT_PAID])
@example(
    by_card=False,
    history=[REPLACED, PAID, NOT_PAID, PAID, "the last is paid", NOT_PAID, "the last is not paid", NOT_PAID],
)
@example(by_card=False, history=[REPLACED, "the last is paid", "the last is not paid", PAID])
@example(
    by_card=False,
    history=[PAID, REPLACED, "the last is paid", PAID, "the last is not paid", "the first was called back"],
)
@given(by_card=st.booleans(), history=st.lists(st.sampled_from(sorted(HAPPENS)), min_size=3, max_size=9))
def test_the_equation_holds_whatever_is_paid_and_withdrawn_and_a_past_day_shows_what_was_owed_on_it(
    world: World, by_card: bool, history: list[str]
) -> None:
    world.policy(invoice_on_vat=True)
    eva, order = during_outage(world, card="pm_card_visa" if by_card else None)
    day_of = world.wiring.policy.seller.day
    was_owed: dict[date, int] = {}
    for event in history:
        before = withdrawn(world)
        with suppress(NotPossible):
            HAPPENS[event](world, order.id)
        assert holds(world)
        assert nothing_differs(world)
        for again, since in (withdrawn(world) - before).elements():
            was_owed |= {day: amount + again for day, amount in was_owed.items() if day >= day_of(since)}
        was_owed[day_of(world.time)] = owed(world, eva)
        world.pass_time(days=1)
    assert {day: owed(world, eva, day) for day in was_owed} == was_owed
