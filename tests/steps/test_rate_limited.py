"""More orders at once than the provider takes requests: they come through later, each charged once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.states import OrderStatus, Step
from tests.support.world import World, purchase

ORDERS, TAKEN, THREADS = 16, 3, 8


@pytest.fixture(autouse=True)
def _without_a_limit_after(world: World) -> Iterator[None]:
    """The stand-in is everybody's."""
    yield
    world.stripe.control("rate-limit", per_second=None)


def test_orders_beyond_the_providers_rate_limit_are_carried_through_later_and_charged_once(world: World) -> None:
    customers = [world.customer() for _ in range(ORDERS)]
    orders = [world.place(customer, purchase()) for customer in customers]
    for order_id in orders:
        world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.stripe.control("rate-limit", per_second=TAKEN, second=3600)
    with ThreadPoolExecutor(THREADS) as pool:
        at_first = Counter(order.status for order in pool.map(world.run, orders))
        assert at_first == {OrderStatus.COMPLETED: TAKEN, OrderStatus.OPEN: ORDERS - TAKEN}
        world.stripe.control("rate-limit", per_second=TAKEN)
        left = orders
        while left:
            left = [order.id for order in pool.map(world.go_on, left) if order.status is OrderStatus.OPEN]
    assert {world.order(order_id).status for order_id in orders} == {OrderStatus.COMPLETED}
    assert [world.charged(customer) for customer in customers] == [[119_00]] * ORDERS
    assert [world.attempts(order_id) for order_id in orders] == [[(1, "succeeded", 119_00)]] * ORDERS
