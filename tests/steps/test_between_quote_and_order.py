"""Half an hour may lie between a quote and its order. It is judged as of its own instant, and honoured, or the customer learns what changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.orders import Order, Quote
from models.rules.cart import CartLine, SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from models.subscriptions import SubscriptionPeriod
from tasks import sweep
from tasks.ledger_check.verify import verify
from tasks.letters.reasons import DIFFERS
from tasks.policy import VatOutage
from tasks.vat_follow_up import vat_follow_up
from tests.support.world import MONTH, Customer, World, change, purchase, trial

ASKS = OrderStatus.AWAITING_CONFIRMATION


def ordered(world: World, ada: Customer, quote: Quote) -> Order:
    return world.run(world.place_quote(ada, quote.id))


def differs(order: Order) -> list[str]:
    """What the customer is told has changed."""
    named = list((order.reason_facts or {})["differs"])
    assert order.status is ASKS
    assert set(named) <= DIFFERS.keys()
    return named


def nothing_differs(world: World) -> bool:
    with world.begin() as session:
        return [str(difference) for difference in verify(session)] == []


# A trial that ends in between


@pytest.fixture
def ada(world: World) -> Customer:
    """Tries Desk team, 5 seats; ten minutes are left of it."""
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.pass_time(days=13, hours=23, minutes=50)
    return ada


def end_the_trial(world: World, ada: Customer) -> None:
    world.pass_time(minutes=10, seconds=5)
    sweep.sweep()
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIAL_ENDED


@pytest.mark.parametrize(
    ("seats", "due", "letters"), [(5, 59_50, ["confirmation"]), (6, 71_40, ["confirmation", "seat_prompt"])]
)
def test_a_purchase_quoted_during_a_trial_is_carried_out_as_quoted_after_its_end(
    world: World, ada: Customer, seats: int, due: int, letters: list[str]
) -> None:
    quote = world.quote(ada, purchase("desk", "team", seats))
    end_the_trial(world, ada)
    order = ordered(world, ada, quote)
    assert (order.status, order.revision, world.charged(ada)) == (OrderStatus.COMPLETED, 1, [due])
    assert (order.lines[0].from_tier, order.lines[0].from_seats, world.letters(order.id)) == ("team", 5, letters)
    held = world.subscription(ada, "desk")
    assert (held.status, held.seats, held.period_start) == (SubscriptionStatus.ACTIVE, seats, quote.as_of)
    closed = [p.closed_at for p in world.rows(SubscriptionPeriod, subscription_id=held.id)]
    assert sorted(closed, key=str) == [quote.as_of, None]
    assert nothing_differs(world)


def test_a_lower_tier_quoted_during_a_trial_is_bought_after_its_end(world: World, ada: Customer) -> None:
    quote = world.quote(ada, purchase("desk", "basic", 5))
    end_the_trial(world, ada)
    assert ordered(world, ada, quote).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [29_75]


def test_of_a_purchase_after_the_trial_only_what_really_changed_is_named(world: World, ada: Customer) -> None:
    quote = world.quote(ada, purchase(seats=5))
    end_the_trial(world, ada)
    world.reprice("desk", "team", MONTH, 12_00)
    order = ordered(world, ada, quote)
    assert differs(order) == ["unit_minor"]
    world.confirm(order.id)
    assert (world.run(order.id).status, world.charged(ada)) == (OrderStatus.COMPLETED, [71_40])


@pytest.mark.parametrize("line", [change(seats=9), change(tier="business")], ids=["seats", "tier"])
def test_a_change_of_a_trial_that_has_ended_is_rejected_for_that(world: World, ada: Customer, line: CartLine) -> None:
    """It cannot be edited any more, only subscribed, and there is nothing that the change would be worth."""
    quote = world.quote(ada, line, purchase("wiki", "basic", 1))
    end_the_trial(world, ada)
    order = ordered(world, ada, quote)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.TRIAL_ENDED)
    assert (world.charged(ada), world.letters(order.id)) == ([], [])


def test_users_of_the_trial_must_fit_the_seats_that_were_quoted(world: World, ada: Customer) -> None:
    quote = world.quote(ada, purchase(seats=1))
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    end_the_trial(world, ada)
    order = ordered(world, ada, quote)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.SEATS_BELOW_ASSIGNED)


def waits_for_a_confirmation(world: World, ada: Customer) -> Order:
    """With a fresh quote made nine minutes before the trial's end."""
    order_id = world.place(ada, purchase(seats=5))
    world.reprice("desk", "team", MONTH, 12_00)
    world.pass_time(minutes=1)
    assert differs(world.run(order_id)) == ["unit_minor"]
    return world.order(order_id)


def test_a_fresh_quote_made_during_a_trial_is_confirmed_after_its_end(world: World, ada: Customer) -> None:
    order = waits_for_a_confirmation(world, ada)
    world.pass_time(minutes=15)
    sweep.sweep()
    world.confirm(order.id)
    assert (world.run(order.id).status, world.letters(order.id)) == (OrderStatus.COMPLETED, ["confirmation"])
    assert world.subscription(ada, "desk").period_start == world.time - timedelta(minutes=15)
    assert world.charged(ada) == [71_40]


def test_a_quote_asked_for_after_the_trial_is_confirmed_for_an_order_placed_during_it(
    world: World, ada: Customer
) -> None:
    order = waits_for_a_confirmation(world, ada)
    world.pass_time(minutes=15)
    sweep.sweep()
    world.confirm(order.id, world.quote(ada, purchase(seats=5)).id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert (world.subscription(ada, "desk").period_start, world.charged(ada)) == (world.time, [71_40])
    assert nothing_differs(world)


def test_a_purchase_quoted_at_the_end_of_a_trial_is_as_quoted_once_the_sweep_has_ended_it(
    world: World, ada: Customer
) -> None:
    world.pass_time(minutes=10)
    quote = world.quote(ada, purchase(seats=5))
    sweep.sweep()
    assert ordered(world, ada, quote).status is OrderStatus.COMPLETED


# Another order that comes in between


@pytest.mark.parametrize(
    ("quoted", "other", "named"),
    [
        (purchase(seats=5), change(seats=7), ["from_seats"]),
        (purchase(seats=5), change(tier="business", seats=7), ["from_seats", "from_tier"]),
        (change(seats=9), change(tier="business"), ["from_tier"]),
        (change(tier="business"), change(seats=6), ["from_seats"]),
        (change(seats=9), purchase(seats=5), ["from_period_id"]),
    ],
)
def test_a_trial_that_another_order_changed_is_named_as_what_has_changed(
    world: World, ada: Customer, quoted: CartLine, other: CartLine, named: list[str]
) -> None:
    quote = world.quote(ada, quoted)
    world.pass_time(minutes=1)
    world.buy(ada, other)
    order = ordered(world, ada, quote)
    assert differs(order) == named
    world.confirm(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert nothing_differs(world)


def test_a_trial_begun_since_the_purchase_was_quoted_is_named_as_what_has_changed(world: World) -> None:
    bob = world.customer()
    quote = world.quote(bob, purchase(seats=5))
    world.pass_time(minutes=1)
    world.buy(bob, trial("desk", "team", 5))
    assert differs(ordered(world, bob, quote)) == ["from_seats", "from_tier"]


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
    if bought.status is ASKS:
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


# Time that passes in between, and how it is counted


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
