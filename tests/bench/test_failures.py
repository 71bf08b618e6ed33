"""A measurement that cannot go on ends at once, and says why."""

import asyncio
from urllib.parse import urlsplit

import psycopg
import pytest

from benchmarks import http_load
from benchmarks.failures import OrderEndedOtherwise, OrdersRefused
from benchmarks.under_way import UnderWay
from models.states import OrderStatus
from tests.bench.databases import database_url
from tests.support.stripe_stand_in import StripeStandIn
from tests.support.world import World, purchase

REQUEST = {"path": "/v1/customers", "headers": {"Authorization": "Bearer sk_nobody"}, "body": {}}


def test_a_refused_request_ends_it_with_the_answer(stripe_server: StripeStandIn) -> None:
    address = urlsplit(stripe_server.url)
    answers = asyncio.run(http_load.send([REQUEST] * 3, str(address.hostname), address.port or 0, 2))
    with pytest.raises(OrdersRefused, match=r"3 of 3 requests were refused, the first with 401: \{.*Invalid API Key"):
        http_load.none_refused(answers)


def test_an_order_that_ends_otherwise_is_not_waited_for(world: World) -> None:
    order = world.buy(world.customer(card="pm_card_chargeCustomerFail"), purchase())
    assert order.status is OrderStatus.PAYMENT_DECLINED
    with psycopg.connect(database_url(world)) as watching:
        orders = UnderWay(watching)
        orders.add([order.id])
        with pytest.raises(
            OrderEndedOtherwise, match=rf"order {order.number} ended payment_declined \(.+\), not completed"
        ):
            orders.done()


def test_orders_are_counted_once_they_are_done(world: World) -> None:
    paid, open_ = world.buy(world.customer(), purchase()), world.place(world.customer(), purchase())
    with psycopg.connect(database_url(world), autocommit=True) as watching:
        orders = UnderWay(watching)
        orders.add([open_, paid.id])
        assert orders.done() == 1
        world.run(open_)
        assert (orders.done(), orders.done()) == (2, 2)
