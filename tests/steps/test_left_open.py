"""A change says what it changes: the rest stays as it is when the order is carried out, whatever another order made of it."""

import pytest

from models.rules.cart import CartLine
from models.rules.period import Interval
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.placement import RequestRefused
from tasks.upstream import seats
from tasks.upstream.seats import SeatResult
from tests.support.world import MONTH, YEAR, World, change, purchase

ASKS = OrderStatus.AWAITING_CONFIRMATION


@pytest.mark.parametrize(
    ("asked", "other", "plan"),
    [
        (change(seats=12), change(tier="business"), ("business", 12, MONTH)),
        (change(seats=8, interval=YEAR), change(tier="business"), ("business", 8, YEAR)),
        (change(tier="business"), change(seats=12), ("business", 12, MONTH)),
        (change(interval=YEAR), change(tier="business", seats=12), ("business", 12, YEAR)),
        (change(tier="business", seats=12), change(tier="business"), ("business", 12, MONTH)),
        (change(tier="business", seats=12), change(seats=12), ("business", 12, MONTH)),
    ],
)
def test_what_a_change_left_open_is_as_another_order_made_it_and_the_customer_is_asked(
    world: World, asked: CartLine, other: CartLine, plan: tuple[str, int, Interval]
) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    quote = world.quote(ada, asked)
    world.pass_time(minutes=1)
    world.buy(ada, other)
    order_id = world.place_quote(ada, quote.id)
    order = world.run(order_id)
    assert (order.status, order.reason, world.support_cases(ada)) == (ASKS, "amount-differs", [])
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    held = world.subscription(ada, "desk")
    assert (held.tier_code, held.seats, held.interval) == plan


def test_a_lower_tier_that_was_asked_for_by_name_is_refused_as_before(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "basic", 10))
    quote = world.quote(ada, change(tier="team"))
    world.pass_time(minutes=1)
    world.buy(ada, change(tier="business"))
    order = world.run(world.place_quote(ada, quote.id))
    assert (order.status, order.reason) == (OrderStatus.REJECTED, RefusalCode.LOWER_TIER)


def test_of_a_change_that_waits_only_a_quote_for_what_it_asked_is_accepted(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    quote = world.quote(ada, change(seats=12))
    world.pass_time(minutes=1)
    world.buy(ada, change(seats=11))
    order_id = world.place_quote(ada, quote.id)
    assert world.run(order_id).status is ASKS
    for other in (change(seats=13), change(seats=12, tier="business"), change(tier="business")):
        with pytest.raises(RequestRefused) as refused:
            world.confirm(order_id, world.quote(ada, other).id)
        assert refused.value.code == "quote-differs"
    world.confirm(order_id, world.quote(ada, change(seats=12, tier="team")).id)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_seats_that_a_waiting_change_leaves_alone_may_be_given(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 1))
    quote = world.quote(ada, change(tier="business"))
    world.pass_time(minutes=1)
    world.buy(ada, change(seats=2))
    assert world.run(world.place_quote(ada, quote.id)).status is ASKS
    desk = world.subscription(ada, "desk").id
    with world.begin() as session:
        for user in ("a@x.example", "b@x.example"):
            assert seats.assign(session, subscription_id=desk, email=user, now=world.time) is SeatResult.ASSIGNED
