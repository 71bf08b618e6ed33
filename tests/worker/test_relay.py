"""The relay: each message of the outbox goes out, once where nothing dies, whoever else is relaying; without a broker it waits."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import redis
from celery import Celery, current_app
from kombu.exceptions import BatchPublishError, OperationalError
from sqlalchemy import select, update

from models.messages import OutboxMessage
from models.states import Step
from tasks.running import queue_heads
from tests.support.world import World, purchase
from worker import embedded, relay
from worker.embedded import RedisServer


class Broker:
    """Redis, and the application whose messages go there."""

    def __init__(self, url: str) -> None:
        self.app = Celery("relay", broker=url, set_as_current=False)
        self.app.conf.task_publish_retry_policy = {"max_retries": 0}
        self.redis = redis.Redis.from_url(url)

    def orders(self) -> list[str]:
        """Ids of the messages in the queue, oldest first."""
        return self._headers("id")

    def tasks(self) -> list[str]:
        """Which steps they are for."""
        return self._headers("task")

    def _headers(self, name: str) -> list[str]:
        return [json.loads(raw)["headers"][name] for raw in reversed(self.redis.lrange("orders", 0, -1))]


@pytest.fixture
def broker(redis_server: RedisServer) -> Iterator[Broker]:
    before, made = current_app._get_current_object(), Broker(redis_server.database(47))
    made.redis.flushdb()
    made.app.set_current()
    yield made
    before.set_current()
    made.app.close()
    made.redis.close()


def fill_outbox(world: World, count: int) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.add_all(OutboxMessage(order_id=order_id, step=Step.VALIDATE_CART) for _ in range(count - 1))


def test_several_relays_at_once_publish_each_message_once(world: World, broker: Broker) -> None:
    fill_outbox(world, 5 * relay.BATCH)
    with ThreadPoolExecutor(4, initializer=broker.app.set_current) as pool:
        published = sum(pool.map(lambda _: relay.publish_pending(), range(8)))
    assert (published, len(broker.orders()), world.outbox()) == (5 * relay.BATCH, 5 * relay.BATCH, [])


def test_a_message_that_another_relay_has_taken_holds_up_no_other(world: World, broker: Broker) -> None:
    fill_outbox(world, 3)
    with world.impatient(), world.begin() as another:
        another.execute(select(OutboxMessage).order_by(OutboxMessage.id).limit(1).with_for_update())
        assert (relay.publish_pending(), len(broker.orders())) == (2, 2)
    assert (relay.publish_pending(), len(broker.orders()), world.outbox()) == (1, 3, [])


def test_messages_are_published_oldest_first(world: World, broker: Broker) -> None:
    fill_outbox(world, 1)
    order_id, first = world.outbox()[0]
    later = [Step.ACTIVATE_SUBSCRIPTION, Step.COMPUTE_PRORATION]
    for step in later:
        with world.begin() as session:
            session.add(OutboxMessage(order_id=order_id, step=step))
    with world.begin() as session:  # the oldest lies behind the others on the disk
        session.execute(update(OutboxMessage).where(OutboxMessage.step == first).values(created_at=world.time))
    relay.publish_pending()
    assert broker.tasks() == [first, *later]


def test_without_a_broker_messages_wait_and_go_out_when_it_is_back(world: World, broker: Broker) -> None:
    fill_outbox(world, 3)
    Broker("redis://127.0.0.1:9/0").app.set_current()
    with pytest.raises(OperationalError):
        relay.publish_pending()
    assert (len(broker.orders()), len(world.outbox())) == (0, 3)
    broker.app.set_current()
    assert (relay.publish_pending(), len(broker.orders()), world.outbox()) == (3, 3, [])


def test_a_relay_that_dies_between_publishing_and_deleting_publishes_again(
    world: World, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_outbox(world, 3)
    with monkeypatch.context() as dying:
        dying.setattr(relay, "reach", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            relay.publish_pending()
    assert (len(broker.orders()), len(world.outbox())) == (3, 3)
    assert (relay.publish_pending(), len(broker.orders()), world.outbox()) == (3, 6, [])


def test_a_broker_that_goes_away_while_it_is_published_to_loses_nothing(
    world: World, tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_outbox(world, 3)
    with embedded.redis(tmp_path) as server, monkeypatch.context() as failing:

        def dies(_: datetime) -> dict[str, float]:
            server.kill()
            return {}

        Broker(server.url).app.set_current()
        failing.setattr(queue_heads, "since", dies)
        with pytest.raises((OperationalError, BatchPublishError)):
            relay.publish_pending()
    broker.app.set_current()
    assert (relay.publish_pending(), len(broker.orders()), world.outbox()) == (3, 3, [])


def test_a_broker_that_is_full_takes_nothing_and_nothing_is_lost(world: World, tmp_path: Path, broker: Broker) -> None:
    fill_outbox(world, 3)
    with embedded.redis(tmp_path) as server:
        full = Broker(server.url)
        full.app.set_current()
        full.redis.config_set("maxmemory", 1)
        with pytest.raises((OperationalError, BatchPublishError, redis.OutOfMemoryError)):
            relay.publish_pending()
        assert (full.orders(), len(world.outbox())) == ([], 3)
        full.redis.config_set("maxmemory", 0)
        assert (relay.publish_pending(), len(full.orders()), world.outbox()) == (3, 3, [])


@pytest.mark.parametrize("trouble", ["killed", "full"])
def test_a_relay_whose_broker_fails_says_so_in_one_line(
    world: World,
    tmp_path: Path,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    fill_outbox(world, 3)
    caplog.set_level(logging.INFO, logger="celery.app.trace")
    with embedded.redis(tmp_path) as server, monkeypatch.context() as failing:
        failed = Broker(server.url)

        def fails(_: datetime) -> dict[str, float]:
            server.kill() if trouble == "killed" else failed.redis.config_set("maxmemory", 1)
            return {}

        failed.app.set_current()
        failing.setattr(queue_heads, "since", fails)
        ended = relay.relay.apply()
    [line] = [record for record in caplog.records if record.name == "celery.app.trace"]
    assert (ended.state, line.levelno, line.exc_info) == ("FAILURE", logging.INFO, None)
    broker.app.set_current()
    assert (relay.publish_pending(), len(broker.orders()), world.outbox()) == (3, 3, [])
