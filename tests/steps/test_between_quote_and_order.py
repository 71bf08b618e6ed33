"""Half an hour may lie between a quote and its order. It is judged as of its own instant, and honoured, or the customer learns what changed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from models.accounts import AccountKind, Contact
from models.orders import QuoteLine
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from models.subscriptions import Subscription, SubscriptionPeriod
from tasks import sweep
from tasks.policy import VatOutage
from tasks.vat.vat_follow_up import vat_follow_up
from tests.support.books import verified
from tests.support.quoted import differs, ordered
from tests.support.world import MONTH, Customer, World, change, purchase, trial

# VAT of the running period that is corrected in between


@pytest.mark.parametrize(
    ("policy", "answer", "totals"),
    [(VatOutage.CHARGE_VAT, "valid", (80_01, 100_01)), (VatOutage.PROVISIONAL, "invalid", (100_01, 80_01))],
)
def test_vat_of_the_running_period_corrected_since_is_named_as_what_has_changed(
    world: World, policy: VatOutage, answer: str, totals: tuple[int, int]
) -> None:
    """The account has another number by then, so that the tax on what is charged stays as it was."""
    world.policy(vat_outage=policy)
    eva = world.customer(country="AT", vat_number="ATU13585627")
    world.vies.fail("MS_UNAVAILABLE")
    bought = world.buy(eva, purchase())
    if bought.status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(bought.id)
        world.run(bought.id)
    world.vies.forget()
    world.vies.register("ATU13585627", status=answer)
    world.change_account(eva, vat_number="ATU12011204")
    world.pass_time(minutes=4)
    quote = world.quote(eva, change(seats=20))
    world.pass_time(minutes=2)
    vat_follow_up()
    order = ordered(world, eva, quote)
    facts = order.reason_facts or {}
    assert differs(order) == ["from_tax_rate"]
    assert (facts["quoted_total_minor"], facts["total_minor"]) == totals


# A paid period that ends in between


@pytest.fixture
def eve(world: World) -> Customer:
    """Has Desk team, 10 seats for 100.00; ten minutes of a thirty-day month are left, 0.02 of it."""
    eve = world.customer()
    world.buy(eve, purchase("desk", "team", 10))
    world.pass_time(days=29, hours=23, minutes=50)
    return eve


def test_a_change_quoted_before_the_period_ended_is_carried_out_as_quoted_after_it(world: World, eve: Customer) -> None:
    quote = world.quote(eve, change(seats=20))
    world.pass_time(minutes=15)
    sweep.sweep()
    order = ordered(world, eve, quote)
    assert (order.status, order.lines[0].unused_minor, order.net_minor) == (OrderStatus.COMPLETED, 2, 199_98)
    assert world.charged(eve) == [119_00, quote.due_minor]
    assert world.subscription(eve, "desk").period_start == quote.as_of
    assert verified(world) == []


def test_a_period_that_was_renewed_since_is_named_as_what_has_changed(world: World, eve: Customer) -> None:
    """Renewal is another system's; what it leaves is another running period."""
    quote = world.quote(eve, change(seats=20))
    world.pass_time(minutes=15)
    renewed, until = world.time - timedelta(minutes=5), world.time + timedelta(days=31)
    with world.begin() as session:
        session.execute(update(Subscription).values(period_start=renewed, period_end=until))
        session.execute(update(SubscriptionPeriod).values(starts_at=renewed, ends_at=until))
    order = ordered(world, eve, quote)
    assert (differs(order), world.charged(eve)) == (["from_period_id"], [119_00])


# The catalogue, from an instant in between


def from_the_next_minute_on(world: World, load: Callable[[], None]) -> None:
    """Loaded now, in effect in a minute."""
    world.pass_time(minutes=1)
    load()
    world.pass_time(minutes=-1)


def test_a_price_in_effect_since_the_quote_is_named_and_one_to_come_is_not(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    from_the_next_minute_on(world, lambda: world.reprice("desk", "team", MONTH, 12_00))
    soon, late = world.quote(ada, purchase()), world.quote(bob, purchase())
    assert (soon.due_minor, late.due_minor) == (119_00, 119_00)
    world.pass_time(seconds=59)
    assert ordered(world, ada, soon).status is OrderStatus.COMPLETED
    world.pass_time(seconds=1)
    assert (differs(ordered(world, bob, late)), world.charged(bob)) == (["unit_minor"], [])


def test_what_is_not_sold_any_more_since_the_quote_is_rejected_for_that(world: World) -> None:
    ada = world.customer()
    from_the_next_minute_on(world, lambda: world.retire("desk", "team"))
    quote = world.quote(ada, purchase())
    world.pass_time(minutes=1)
    order = ordered(world, ada, quote)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.NOT_FOR_SALE)


# Time that passes in between, and how it is counted


def test_a_month_that_ends_in_between_leaves_period_and_anchor_as_quoted(world: World) -> None:
    world.time = datetime(2027, 1, 31, 23, 50, tzinfo=UTC)
    ada = world.customer()
    quote = world.quote(ada, purchase())
    world.pass_time(minutes=15)
    assert ordered(world, ada, quote).status is OrderStatus.COMPLETED
    held = world.subscription(ada, "desk")
    assert (held.period_start, held.anchor_day) == (datetime(2027, 1, 31, 23, 50, tzinfo=UTC), 31)
    assert held.period_end == datetime(2027, 2, 28, 23, 50, tzinfo=UTC)


def test_a_vat_rate_that_begins_in_between_is_not_charged(world: World) -> None:
    """Estonia's 24 % began on 1 July 2025 at midnight in Tallinn."""
    world.time = datetime(2025, 6, 30, 20, 50, tzinfo=UTC)
    eva = world.customer(country="EE", buyer_type="consumer")
    quote = world.quote(eva, purchase())
    world.pass_time(minutes=15)
    assert ordered(world, eva, quote).status is OrderStatus.COMPLETED
    assert world.charged(eva) == [122_00]


def test_a_time_zone_that_moves_nothing_changes_nothing(world: World) -> None:
    ada = world.customer(timezone="Europe/Berlin")
    quote = world.quote(ada, purchase())
    world.change_account(ada, timezone="Europe/Madrid")
    assert ordered(world, ada, quote).status is OrderStatus.COMPLETED


def at_the_end_of_november(world: World, **account: Any) -> Customer:
    """Half an hour before December in UTC, half an hour into it in Berlin."""
    world.time = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    return world.customer(**{"timezone": "UTC", **account})


def test_a_time_zone_that_moves_the_period_is_named_beside_whatever_else_has_changed(world: World) -> None:
    ada, bob = at_the_end_of_november(world), at_the_end_of_november(world)
    quotes = {customer.account_id: world.quote(customer, purchase()) for customer in (ada, bob)}
    world.change_account(ada, timezone="Europe/Berlin")
    world.change_account(bob, timezone="Europe/Berlin", country="AT")
    assert differs(ordered(world, ada, quotes[ada.account_id])) == ["period"]
    assert differs(ordered(world, bob, quotes[bob.account_id])) == ["period", "tax_rate", "tax_treatment"]


def test_a_time_zone_that_moves_only_the_anchor_day_is_named_as_the_period(world: World) -> None:
    """The 1st in UTC, the 2nd in Berlin; both months end at the same instant."""
    world.time = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
    ada = world.customer(timezone="UTC")
    quote = world.quote(ada, purchase())
    world.change_account(ada, timezone="Europe/Berlin")
    order = ordered(world, ada, quote)
    [fresh] = world.rows(QuoteLine, quote_id=order.proposed_quote_id)
    assert fresh.period_end == order.lines[0].period_end
    assert differs(order) == ["period"]


def test_the_period_is_named_once_where_the_quote_expired_as_well(world: World) -> None:
    ada = at_the_end_of_november(world, card=None)
    order_id = world.buy(ada, purchase()).id
    world.change_account(ada, timezone="Europe/Berlin")
    world.pass_time(hours=1)
    world.give_card(ada)
    world.pay_again(order_id)
    assert differs(world.run(order_id)) == ["period"]


# What pays, or decides the tax, in between


def test_a_balance_that_still_pays_all_has_not_changed_where_less_is_to_be_paid(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 500_00)
    quote = world.quote(ada, purchase())
    world.reprice("desk", "team", MONTH, 9_00)
    assert differs(ordered(world, ada, quote)) == ["unit_minor"]


@pytest.mark.parametrize(("left", "named"), [(107_10, ["unit_minor"]), (107_09, ["balance_used_minor", "unit_minor"])])
def test_a_balance_spent_since_is_named_where_it_does_not_pay_all_any_more(
    world: World, left: int, named: list[str]
) -> None:
    ada = world.customer()
    world.grant(ada, left + 119_00)
    quote = world.quote(ada, purchase())
    world.buy(ada, purchase("chat"))
    world.reprice("desk", "team", MONTH, 9_00)
    assert (differs(ordered(world, ada, quote)), world.balance(ada)) == (named, left)


FRENCH = "FR40303265045"


@pytest.mark.parametrize(
    ("quoted", "says", "named"),
    [
        (purchase("desk"), {}, ["vat_number"]),
        (purchase("desk"), {"vat_number": None}, ["tax_rate", "tax_treatment"]),
        (purchase("desk"), {"buyer_type": "consumer"}, ["tax_rate", "tax_treatment"]),
        (purchase("desk"), {"country": "DE", "vat_number": "DE129273398"}, ["tax_rate", "tax_treatment"]),
        (trial("desk"), {}, ["tax_rate", "tax_treatment"]),
    ],
)
def test_a_number_that_the_registry_has_called_invalid_since_is_named_as_the_reason_for_vat(
    world: World, quoted: CartLine, says: dict[str, Any], named: list[str]
) -> None:
    """says: what the account says of itself by then. A trial bears no VAT."""
    world.vies.register(FRENCH, status="invalid")
    ada = world.customer(country="FR", vat_number=FRENCH)
    quote = world.quote(ada, quoted)
    assert differs(world.buy(ada, purchase("chat"))) == ["vat_number"]
    world.change_account(ada, **says)
    assert differs(ordered(world, ada, quote)) == named


def test_a_number_that_decides_nothing_is_no_reason(world: World) -> None:
    """At home VAT is charged whatever the registry says."""
    world.policy(invoice_on_vat=True)
    world.vies.register("DE111111109", status="invalid")
    ada = world.customer(card=None, vat_number="DE111111109")
    quote = world.quote(ada, purchase("desk"))
    assert world.buy(ada, purchase("chat")).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    world.reprice("desk", "team", MONTH, 9_00)
    assert differs(ordered(world, ada, quote)) == ["unit_minor"]


# Who orders, and who sits on the seats, in between


def no_billing_contact(world: World, eve: Customer) -> None:
    with world.begin() as session:
        session.get_one(Contact, eve.contact_id).is_billing_contact = False


def corporate(world: World, eve: Customer) -> None:
    world.change_account(eve, kind=AccountKind.CORPORATE)


def two_more_users(world: World, eve: Customer) -> None:
    world.assign(eve, "desk", "a@x.example", "b@x.example")


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (no_billing_contact, RefusalCode.NOT_A_BILLING_CONTACT),
        (corporate, RefusalCode.CORPORATE_ACCOUNT),
        (two_more_users, RefusalCode.SEATS_BELOW_ASSIGNED),
    ],
)
def test_what_speaks_against_the_order_since_the_quote_rejects_it_by_name(
    world: World, eve: Customer, happens: Callable[[World, Customer], None], code: RefusalCode
) -> None:
    quote = world.quote(eve, change(seats=1))
    happens(world, eve)
    order = ordered(world, eve, quote)
    assert (order.status, order.reason, world.balance(eve)) == (OrderStatus.REJECTED, code, 0)


@pytest.mark.parametrize(
    "says",
    [{"country": "AT"}, {"country": "FR", "vat_number": FRENCH}, {"country": "ES", "postcode": "35001"}],
    ids=["another country", "a number", "a place without VAT"],
)
def test_what_the_account_says_of_itself_since_the_quote_is_named_where_it_changes_the_tax(
    world: World, says: dict[str, Any]
) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    world.change_account(ada, **says)
    order = ordered(world, ada, quote)
    assert (differs(order), world.charged(ada)) == (["tax_rate", "tax_treatment"], [])
