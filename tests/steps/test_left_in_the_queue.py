"""However long a queue is, whose message lies in it is left alone, and whose message is lost is published again at once."""

import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest
from celery import current_app
from redis import Redis
from sqlalchemy import delete, update

from models import lease, progress
from models.messages import OutboxMessage
from models.orders import Order
from models.states import OrderStatus, Step
from tasks import sweep
from tasks.queues import STEP_QUEUES
from tasks.running import queue_heads
from tests.support.in_one_process import without_broker
from tests.support.world import World, purchase
from worker import relay

HEARTBEAT = b'{"headers": {"id": "1", "waiting_since": %d}}'


@pytest.fixture
def redis(broker: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """What is seen of a queue says something for longer than any test lasts, unless `time_passes`."""
    monkeypatch.setattr(queue_heads, "IN_HANDS", 50.0)
    with current_app.connection_for_read() as connection:
        client = connection.channel().client
        ours = [*STEP_QUEUES, *(queue_heads.KEPT_AS + queue for queue in STEP_QUEUES)]
        client.delete(*ours)
        yield client
        client.delete(*ours)


def published(world: World, *, ago: timedelta = timedelta(minutes=1)) -> UUID:
    """An order whose message was put into the queue so long ago."""
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(OutboxMessage).values(created_at=OutboxMessage.created_at - ago))
        session.execute(update(Order).where(Order.id == order_id).values(wake_at=Order.wake_at - ago))
    assert relay.publish_pending() == 1
    return order_id


def next_one_is_taken(redis: Redis) -> None:
    assert redis.rpop("orders") is not None


def time_passes(redis: Redis) -> None:
    """So much that what was seen of the queue before says nothing any more."""
    for queue in STEP_QUEUES:
        for seen in cast("list[bytes]", redis.zrange(queue_heads.KEPT_AS + queue, 0, -1)):
            redis.zincrby(queue_heads.KEPT_AS + queue, -2 * queue_heads.IN_HANDS, seen)


def test_orders_in_a_queue_are_not_published_again(world: World, redis: Redis) -> None:
    orders = [published(world, ago=timedelta(minutes=60 - number)) for number in range(3)]
    for _ in range(3):
        assert sweep.sweep() == 0
        time_passes(redis)
    assert (redis.llen("orders"), world.outbox()) == (3, [])
    assert [world.order(order_id).restarts for order_id in orders] == [0, 0, 0]


def test_an_order_lost_out_of_the_middle_of_a_long_queue_is_found_when_its_turn_has_passed(
    world: World, redis: Redis
) -> None:
    lost = published(world, ago=timedelta(minutes=3))
    next_one_is_taken(redis)
    behind = published(world, ago=timedelta(minutes=2))
    assert sweep.sweep() == 1
    assert world.outbox() == [(lost, Step.VALIDATE_CART)]
    assert (world.order(lost).restarts, world.order(behind).restarts) == (1, 0)
    assert world.run(lost).status is OrderStatus.COMPLETED


def test_an_order_that_a_worker_has_just_taken_has_time_to_begin(world: World, redis: Redis) -> None:
    order_id = published(world)
    assert sweep.sweep() == 0
    next_one_is_taken(redis)
    assert sweep.sweep() == 0
    time_passes(redis)
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def begun_by_a_worker_that_died(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        claimed = lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(seconds=8))
        assert claimed is not None


def postponed(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        claimed = lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(seconds=8))
        assert claimed is not None
        progress.postpone(
            session, order_id, Step.VALIDATE_CART, claimed.lease_token, delay=timedelta(seconds=1), error="away"
        )


@pytest.mark.parametrize("before", [begun_by_a_worker_that_died, postponed])
def test_an_order_published_again_waits_behind_the_others_whatever_became_of_it_before(
    world: World, redis: Redis, before: Callable[[World, UUID], None]
) -> None:
    order_id = published(world, ago=timedelta(minutes=3))
    next_one_is_taken(redis)
    before(world, order_id)
    world.let_waits_run_out(order_id)
    assert sweep.sweep() == 1
    assert relay.publish_pending() == 1
    redis.rpush("orders", HEARTBEAT % (time.time() - 120))
    for _ in range(3):
        world.let_waits_run_out(order_id)
        time_passes(redis)
        assert sweep.sweep() == 0
    assert (world.order(order_id).restarts, redis.llen("orders")) == (1, 2)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_an_order_that_a_dead_worker_had_begun_goes_on_however_long_the_queue_is(world: World, redis: Redis) -> None:
    begun = published(world, ago=timedelta(minutes=3))
    next_one_is_taken(redis)
    begun_by_a_worker_that_died(world, begun)
    published(world, ago=timedelta(minutes=2))
    world.let_waits_run_out(begun)
    assert sweep.sweep() == 1
    assert world.outbox() == [(begun, Step.VALIDATE_CART)]


def test_an_order_that_waits_for_its_customer_ends_in_time_however_long_the_queue_is(
    world: World, redis: Redis
) -> None:
    waiting = world.buy(world.customer(card=None), purchase()).id
    relay.publish_pending()
    next_one_is_taken(redis)
    published(world, ago=timedelta(minutes=2))
    world.let_waits_run_out(waiting)
    assert sweep.sweep() == 1
    assert world.order(waiting).status is OrderStatus.CANCELLED


def test_an_order_behind_a_message_that_is_none_of_an_order_waits_too(world: World, redis: Redis) -> None:
    published(world)
    redis.rpush("orders", HEARTBEAT % (time.time() - 120))
    assert sweep.sweep() == 0
    assert world.outbox() == []


def test_messages_in_another_queue_say_nothing_about_this_one(world: World, redis: Redis) -> None:
    order_id = published(world)
    next_one_is_taken(redis)
    redis.rpush("payments", HEARTBEAT % (time.time() - 120))
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def fill(redis: Redis, queue: str, messages: int) -> None:
    """With messages that have only just been sent, so that whatever was published before is lost."""
    redis.lpush(queue, *[HEARTBEAT % time.time()] * messages)


def test_lost_orders_are_not_put_behind_a_long_queue_but_when_it_is_shorter(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LONG", 3)
    monkeypatch.setattr(sweep, "FEW", 0)
    order_id = published(world)
    next_one_is_taken(redis)
    fill(redis, "orders", 3)
    before = world.order(order_id)
    assert sweep.sweep() == 0
    left = world.order(order_id)
    assert (world.outbox(), left.restarts, left.wake_at) == ([], 0, before.wake_at)
    next_one_is_taken(redis)
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_the_oldest_lost_orders_go_on_however_long_the_queue_stays(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LONG", 3)
    monkeypatch.setattr(sweep, "FEW", 2)
    lost = [published(world) for _ in range(3)]
    for _ in lost:
        next_one_is_taken(redis)
    fill(redis, "orders", 3)
    assert sweep.sweep() == 2
    assert world.outbox() == [(order_id, Step.VALIDATE_CART) for order_id in lost[:2]]


def test_behind_a_broken_message_a_long_queue_is_known_to_be_long(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which orders are lost is not, so none is restarted again and again until it is parked."""
    monkeypatch.setattr(sweep, "LONG", 3)
    published(world)
    next_one_is_taken(redis)
    fill(redis, "orders", 2)
    redis.rpush("orders", "rubbish")
    assert sweep.sweep() == 0


def test_a_long_queue_holds_up_no_order_that_goes_to_another(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LONG", 3)
    fill(redis, "payments", 3)
    order_id = published(world)
    next_one_is_taken(redis)
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_an_order_that_a_dead_worker_had_begun_is_put_behind_a_long_queue_too(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "LONG", 3)
    order_id = published(world)
    next_one_is_taken(redis)
    begun_by_a_worker_that_died(world, order_id)
    world.let_waits_run_out(order_id)
    fill(redis, "orders", 3)
    assert sweep.sweep() == 1


def test_what_waits_in_the_outbox_counts_as_queued(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while the broker is away: all of it would come into the queues at once."""
    monkeypatch.setattr(sweep, "LONG", 3)
    monkeypatch.setattr(sweep, "BATCH", 3)
    lost = [world.place(world.customer(), purchase()) for _ in range(5)]
    with world.begin() as session:
        session.execute(delete(OutboxMessage))
    for order_id in lost:
        world.let_waits_run_out(order_id)
    with without_broker():
        assert [sweep.sweep() for _ in range(3)] == [3, 0, 0]
    assert len(world.outbox()) == 3


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """What is collected at the bottom of the deepest recursion has no room left to end properly, which pytest takes for a failure."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    "garbage",
    [
        b"", b"\xff", b"[]", b"{}", b'{"headers": 5}', b'{"headers": {"waiting_since": "today"}}', b"[" * 100_000,
        b'{"headers": {"waiting_since": NaN}}', b'{"headers": {"waiting_since": 1e300}}', b'{"headers": {"waiting_since": null}}',
        b'{"headers": {"waiting_since": -62135596800}}', b'{"headers": {"waiting_since": 1e11}}',
    ],
)  # fmt: skip
@pytest.mark.usefixtures("no_garbage_collection")
def test_a_broken_message_at_the_head_stops_nobody(world: World, redis: Redis, garbage: bytes) -> None:
    order_id = published(world)
    redis.rpush("orders", garbage)
    assert queue_heads.waiting(["orders"], now=datetime.now(UTC)) == {"orders": (None, redis.llen("orders"))}
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_a_broken_message_among_others_does_not_publish_them_all_again(world: World, redis: Redis) -> None:
    published(world)
    assert sweep.sweep() == 0
    redis.rpush("orders", b"broken")
    assert sweep.sweep() == 0


def test_a_lost_message_is_found_whatever_this_hosts_clock_says(
    world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = published(world)
    next_one_is_taken(redis)
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_every_message_says_since_when_it_waits_and_a_retry_begins_anew() -> None:
    headers: dict[str, object] = {"retries": 0}
    queue_heads.stamp(headers)
    assert isinstance(headers[queue_heads.SINCE], float)
    kept = dict(headers)
    queue_heads.stamp(headers)
    assert headers == kept
    again: dict[str, object] = {"retries": 1, queue_heads.SINCE: 5.0}
    queue_heads.stamp(again)
    assert again[queue_heads.SINCE] != 5.0
