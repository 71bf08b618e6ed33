"""More orders at once than the provider takes requests: they come through later, each charged once."""

from concurrent.futures import ThreadPoolExecutor

from models.states import OrderStatus, Step
from tests.support.world import World, purchase

ORDERS, PER_SECOND, THREADS = 40, 5, 24


def test_orders_beyond_the_providers_rate_limit_are_carried_through_later_and_charged_once(world: World) -> None:
    customers = [world.customer() for _ in range(ORDERS)]
    orders = [world.place(customer, purchase()) for customer in customers]
    for order_id in orders:
        world.run(order_id, until=Step.COLLECT_PAYMENT)
    before = world.stripe.control("rate-limit", per_second=PER_SECOND)["refused"]
    with ThreadPoolExecutor(THREADS) as pool:
        at_first = [order.status for order in pool.map(world.run, orders)]
        assert OrderStatus.OPEN in at_first
        left = orders
        while left:
            left = [order.id for order in pool.map(world.go_on, left) if order.status is OrderStatus.OPEN]
    assert world.stripe.control("rate-limit", per_second=None)["refused"] > before
    assert {world.order(order_id).status for order_id in orders} == {OrderStatus.COMPLETED}
    assert [world.charged(customer) for customer in customers] == [[119_00]] * ORDERS
    assert [world.attempts(order_id) for order_id in orders] == [[(1, "succeeded", 119_00)]] * ORDERS
