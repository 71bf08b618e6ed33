"""What is quoted in the last half hour of a trial may be ordered after its end, and is as it was quoted."""

from datetime import timedelta

import pytest

from models.orders import Order
from models.rules.cart import CartLine, SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from models.subscriptions import SubscriptionPeriod
from tasks import sweep
from tests.support.books import verified
from tests.support.quoted import differs, ordered
from tests.support.world import MONTH, Customer, World, change, purchase, trial


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
    assert verified(world) == []


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


@pytest.mark.parametrize("placed", ["during it", "after it"])
def test_a_change_carried_out_after_the_trial_is_rejected_whether_or_not_a_sweep_came_by(
    world: World, ada: Customer, placed: str
) -> None:
    quote = world.quote(ada, change(seats=9))
    world.pass_time(minutes=9, seconds=59)
    if placed == "during it":
        order_id = world.place_quote(ada, quote.id)
        world.pass_time(seconds=1)
    else:
        world.pass_time(seconds=1)
        order_id = world.place_quote(ada, quote.id)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.TRIAL_ENDED)
    assert (world.subscription(ada, "desk").seats, world.letters(order_id)) == (5, [])


def test_a_purchase_quoted_during_a_trial_and_carried_out_after_it_needs_no_sweep(world: World, ada: Customer) -> None:
    quote = world.quote(ada, purchase(seats=6))
    world.pass_time(minutes=10)
    order = ordered(world, ada, quote)
    assert (order.status, order.revision, world.charged(ada)) == (OrderStatus.COMPLETED, 1, [71_40])


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
    assert verified(world) == []


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
    assert verified(world) == []


def test_a_trial_begun_since_the_purchase_was_quoted_is_named_as_what_has_changed(world: World) -> None:
    bob = world.customer()
    quote = world.quote(bob, purchase(seats=5))
    world.pass_time(minutes=1)
    world.buy(bob, trial("desk", "team", 5))
    assert differs(ordered(world, bob, quote)) == ["from_seats", "from_tier"]
