"""What Redis knows of the messages a worker holds: written as kombu would, so that kombu hands them out again."""

from collections.abc import Iterator
from time import time
from typing import Any

import pytest
import redis
from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer

from worker import broker as workers_broker
from worker.embedded import RedisServer

QUEUE = Queue("held", routing_key="held")


class Worker:
    """One that is handed messages by kombu and holds them."""

    def __init__(self, connection: Connection, books: "redis.Redis") -> None:
        self.books = books
        self.held: list[Message] = []
        self._connection = connection
        self.channel: Any = workers_broker.Channel(connection.transport)  # type: ignore[no-untyped-call]
        self._consumer = Consumer(self.channel, [QUEUE], on_message=self.held.append)

    def take(self, text: str) -> Message:
        with self._connection.Producer(self.channel) as producer:
            producer.publish(text, routing_key=QUEUE.name, declare=[QUEUE])
        self._consumer.consume()
        while not self.held or self.held[-1].payload != text:
            self._connection.drain_events(timeout=10)
        return self.held[-1]

    def on_the_books(self) -> set[str]:
        tags = set(self.books.hkeys("unacked"))
        assert tags == set(self.books.zrange("unacked_index", 0, -1))
        return {str(tag) for tag in tags}

    def close(self) -> None:
        self.channel.close()


@pytest.fixture
def worker(redis_server: RedisServer) -> Iterator[Worker]:
    url = redis_server.database(48)
    with redis.Redis.from_url(url, decode_responses=True) as books, Connection(url) as connection:
        books.flushdb()
        made = Worker(connection, books)
        yield made
        made.close()


@pytest.fixture
def loop() -> Iterator[Hub]:
    before = get_event_loop()
    made = Hub()
    set_event_loop(made)
    yield made
    set_event_loop(before)


def test_a_message_is_on_the_books_while_it_is_held(worker: Worker) -> None:
    message = worker.take("one")
    assert worker.on_the_books() == {message.delivery_tag}
    since = worker.books.zscore("unacked_index", message.delivery_tag)
    assert since is not None
    assert time() - 10 < since <= time()


def test_without_a_loop_it_is_struck_out_at_once(worker: Worker) -> None:
    worker.take("one").ack()
    assert worker.on_the_books() == set()


def test_in_a_loop_it_is_struck_out_with_the_next_entry(worker: Worker, loop: Hub) -> None:
    first = worker.take("one")
    first.ack()
    assert worker.on_the_books() == {first.delivery_tag}
    second = worker.take("two")
    assert worker.on_the_books() == {second.delivery_tag}


def test_in_a_loop_it_is_struck_out_a_little_later_where_no_other_comes(worker: Worker, loop: Hub) -> None:
    for text in ("one", "two"):
        worker.take(text)
    for message in worker.held:
        message.ack()
    (_, _, entry), *others = loop.timer.queue
    assert others == []
    entry()
    assert worker.on_the_books() == set()


def test_whoever_ends_strikes_out_what_it_has_done_and_gives_back_the_rest(worker: Worker, loop: Hub) -> None:
    worker.take("one")
    worker.take("two").ack()
    worker.close()
    assert worker.on_the_books() == set()
    assert worker.books.llen(QUEUE.name) == 1


def test_what_a_dead_worker_held_is_handed_out_again(worker: Worker) -> None:
    message = worker.take("one")
    worker.books.zadd("unacked_index", {message.delivery_tag: 0})
    worker.channel.qos.restore_visible()
    assert worker.on_the_books() == set()
    assert worker.books.llen(QUEUE.name) == 1


def test_redis_may_forget_its_scripts(worker: Worker) -> None:
    worker.take("one")
    worker.books.script_flush()
    worker.take("two")
    assert len(worker.on_the_books()) == 2
