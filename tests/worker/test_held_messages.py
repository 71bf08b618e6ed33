"""What a worker holds is known to the worker alone; when it ends, it gives back what it has not done."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer
from structlog.testing import capture_logs

from worker import broker as workers_broker
from worker import embedded
from worker.embedded import RedisServer

QUEUE = Queue("held", routing_key="held")


class Worker:
    """One that is handed messages by kombu and holds them."""

    def __init__(self, connection: Connection) -> None:
        self.held: list[Message] = []
        self._connection = connection
        self.channel: Any = workers_broker.Channel(connection.transport)  # type: ignore[no-untyped-call]
        self._consumer = Consumer(self.channel, [QUEUE], on_message=self.held.append)

    def take(self, *texts: str) -> None:
        """Sent, and taken out of the queue."""
        for text in texts:
            self.send(text)
        self._consumer.consume()
        while len(self.held) < len(texts):
            self._connection.drain_events(timeout=240)
        self._consumer.cancel()

    def send(self, text: str) -> None:
        with self._connection.Producer(self.channel) as producer:
            producer.publish(text, routing_key=QUEUE.name, declare=[QUEUE])

    def next_in_line(self) -> Message:
        message: Message | None = self.channel.basic_get(QUEUE.name, no_ack=True)
        assert message is not None
        return message

    def close(self) -> None:
        self.channel.close()


@pytest.fixture
def queue(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_server.database(48)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[Connection]:
    with Connection(redis_server.database(48)) as made:
        yield made


def test_what_is_held_is_nowhere_in_redis(queue: "redis.Redis", connection: Connection) -> None:
    worker = Worker(connection)
    worker.take("one")
    assert queue.llen(QUEUE.name) == 0
    assert list(queue.scan_iter("unacked*")) == []


def test_whoever_ends_gives_back_what_it_has_not_done_and_no_more(queue: "redis.Redis", connection: Connection) -> None:
    worker = Worker(connection)
    worker.take("done", "not done")
    worker.held[0].ack()
    worker.close()
    assert queue.llen(QUEUE.name) == 1
    assert Worker(connection).next_in_line().payload == "not done"


def test_what_is_given_back_is_next_in_line(queue: "redis.Redis", connection: Connection) -> None:
    worker = Worker(connection)
    worker.take("first")
    worker.send("second")
    worker.close()
    assert Worker(connection).next_in_line().payload == "first"


def test_a_message_says_that_it_was_handed_out_before(queue: "redis.Redis", connection: Connection) -> None:
    """By which a message that kills one process after the other is known."""
    worker = Worker(connection)
    worker.take("one")
    assert "redelivered" not in worker.held[0].delivery_info
    worker.held[0].reject(requeue=True)
    assert worker.next_in_line().delivery_info["redelivered"] is True


def test_all_that_is_given_back_keeps_its_order(queue: "redis.Redis", connection: Connection) -> None:
    worker = Worker(connection)
    worker.take("first", "second", "third")
    worker.close()
    another = Worker(connection)
    assert [another.next_in_line().payload for _ in range(3)] == ["first", "second", "third"]


def test_what_cannot_be_given_back_is_told_once_and_dumped_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dumps").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "dumps"))
    with embedded.redis(tmp_path / "redis") as server, Connection(server.url) as connection:
        worker = Worker(connection)
        worker.take("one", "two")
        server.kill()
        assert given_back(worker) == [("messages not given back", 2, "ConnectionError")]
    assert list((tmp_path / "dumps").iterdir()) == []


def test_a_redis_that_takes_nothing_is_told_without_what_it_was_given(
    queue: "redis.Redis", connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A replica after a failover, or whatever else answers with an error."""
    worker = Worker(connection)
    worker.take("one", "two")
    queue.set(QUEUE.name, "no list")
    assert given_back(worker) == [("messages not given back", 2, "ResponseError")]
    assert caplog.messages == []


def given_back(worker: Worker) -> list[tuple[str, int, str]]:
    """What is told of it."""
    with capture_logs() as told:
        worker.channel.qos.restore_unacked_once()
    return [(line["event"], line["number"], line["error"]) for line in told]
