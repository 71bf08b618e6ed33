"""However long a queue is, whose message lies in it is left alone, and whose message is lost is published again at once."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from celery import current_app
from redis import Redis
from sqlalchemy import func, update

from models.lease import GRACE
from models.messages import OutboxMessage
from models.orders import Order, OrderEvent
from models.states import OrderStatus, Step
from tasks import queue_heads, sweep
from tests.support.world import World, purchase
from worker import relay

HEARTBEAT = b'{"headers": {"id": "1", "waiting_since": %d}}'


@pytest.fixture
def redis(broker: None) -> Iterator[Redis]:
    with current_app.connection_for_read() as connection:
        client = connection.channel().client
        client.delete("orders")
        yield client
        client.delete("orders")


def published(world: World, *, ago: timedelta = timedelta()) -> UUID:
    """An order whose message was put into the queue so long ago, and whose patience has run out."""
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(OutboxMessage).values(created_at=OutboxMessage.created_at - ago))
        session.execute(update(OrderEvent).where(OrderEvent.order_id == order_id).values(at=OrderEvent.at - ago))
    assert relay.publish_pending() == 1
    world.let_waits_run_out(order_id)
    return order_id


def next_one_is_lost(redis: Redis) -> None:
    assert redis.rpop("orders") is not None


@pytest.mark.parametrize("at_once", [sweep.LEFT_AT_ONCE, 2])
def test_orders_in_a_queue_are_not_published_again(
    world: World, redis: Redis, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LEFT_AT_ONCE", at_once)
    orders = [published(world, ago=timedelta(minutes=60 - number)) for number in range(3)]
    assert sweep.sweep() == 0
    assert (redis.llen("orders"), world.outbox()) == (3, [])
    for order_id in orders:
        assert (world.order(order_id).restarts, world.timeline(order_id).count("order.restarted")) == (0, 0)
        assert GRACE.total_seconds() - 5 < world.wakes_in(order_id) <= GRACE.total_seconds()


def test_one_lost_out_of_the_middle_of_a_long_queue_is_found_when_its_turn_has_passed(
    world: World, redis: Redis
) -> None:
    lost = published(world, ago=timedelta(minutes=3))
    next_one_is_lost(redis)
    behind = published(world, ago=timedelta(minutes=2))
    assert sweep.sweep() == 1
    assert world.outbox() == [(lost, Step.VALIDATE_CART)]
    assert (world.order(lost).restarts, world.order(behind).restarts) == (1, 0)
    assert world.run(lost).status is OrderStatus.COMPLETED


def test_one_published_again_waits_behind_the_others_and_is_not_published_a_third_time(
    world: World, redis: Redis
) -> None:
    order_id = published(world, ago=timedelta(minutes=3))
    next_one_is_lost(redis)
    assert sweep.sweep() == 1
    assert relay.publish_pending() == 1
    world.let_waits_run_out(order_id)
    assert sweep.sweep() == 0
    assert world.order(order_id).restarts == 1


def test_one_that_is_nearly_due_gets_its_time_before_a_worker_has_it(world: World, redis: Redis) -> None:
    order_id = published(world, ago=timedelta(minutes=1))
    with world.begin() as session:
        session.execute(update(Order).values(wake_at=func.clock_timestamp() + GRACE / 4))
    sweep.sweep()
    assert world.wakes_in(order_id) > GRACE.total_seconds() - 5


def test_an_order_behind_a_message_that_is_none_of_an_order_waits_too(world: World, redis: Redis) -> None:
    order_id = published(world)
    since = world.rows(OrderEvent, order_id=order_id)[0].at.timestamp()
    redis.rpush("orders", HEARTBEAT % (since - 60))
    assert sweep.sweep() == 0
    assert world.outbox() == []


def test_messages_in_another_queue_say_nothing_about_this_one(world: World, redis: Redis) -> None:
    order_id = published(world)
    since = world.rows(OrderEvent, order_id=order_id)[0].at.timestamp()
    next_one_is_lost(redis)
    redis.rpush("payments", HEARTBEAT % (since - 60))
    try:
        assert sweep.sweep() == 1
    finally:
        redis.delete("payments")
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"\xff", b"[]", b"{}", b'{"headers": 5}', b'{"headers": {"waiting_since": "today"}}', b"[" * 100_000,
        b'{"headers": {"waiting_since": NaN}}', b'{"headers": {"waiting_since": 1e300}}', b'{"headers": {"waiting_since": null}}',
    ],
)  # fmt: skip
def test_a_broken_message_at_the_head_stops_nobody(world: World, redis: Redis, garbage: bytes) -> None:
    order_id = published(world)
    redis.rpush("orders", garbage)
    assert queue_heads.waiting(["orders"]) == {}
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_every_message_says_since_when_it_waits() -> None:
    headers: dict[str, object] = {}
    queue_heads.stamp(headers)
    assert isinstance(headers[queue_heads.SINCE], float)
    kept = dict(headers)
    queue_heads.stamp(headers)
    assert headers == kept
