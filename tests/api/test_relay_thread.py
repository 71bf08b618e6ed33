"""What is committed beside a request is published at once, by a thread that survives what it cannot publish and loses nothing."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

import pytest
from celery import Celery
from redis import Redis
from structlog.testing import capture_logs

from api_stub import broker_check, relay_thread
from api_stub.relay_thread import Publisher
from tests.support.world import World, purchase
from worker import embedded, relay


@dataclass
class Outbox:
    """A round takes what was committed before it began; `held` keeps each round from ending."""

    committed: list[str] = field(default_factory=list)
    rounds: Queue[list[str]] = field(default_factory=Queue)
    held: threading.Event = field(default_factory=threading.Event)

    def publish(self) -> int:
        taken = list(self.committed)
        self.committed.clear()
        self.rounds.put(taken)
        assert self.held.wait(60)
        if "unpublishable" in taken:
            raise ConnectionError
        return len(taken)

    def next_round(self) -> list[str]:
        """What the next round has taken; it goes on while the test does."""
        return self.rounds.get(timeout=60)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def publisher(outbox: Outbox) -> Iterator[Publisher]:
    made = Publisher(outbox.publish)
    made.start()
    yield made
    outbox.held.set()
    made.stop()


def commit(publisher: Publisher, outbox: Outbox, message: str) -> None:
    outbox.committed.append(message)
    publisher.nudge()


def test_what_is_committed_during_a_round_goes_out_in_the_next(publisher: Publisher, outbox: Outbox) -> None:
    commit(publisher, outbox, "first")
    assert outbox.next_round() == ["first"]
    commit(publisher, outbox, "second")
    commit(publisher, outbox, "third")
    outbox.held.set()
    assert outbox.next_round() == ["second", "third"]


def test_what_cannot_be_published_does_not_end_it(publisher: Publisher, outbox: Outbox) -> None:
    outbox.held.set()
    commit(publisher, outbox, "unpublishable")
    assert outbox.next_round() == ["unpublishable"]
    commit(publisher, outbox, "next")
    assert outbox.next_round() == ["next"]


def test_what_was_committed_before_the_end_is_published_before_it(
    publisher: Publisher, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_thread, "REST", 60)
    commit(publisher, outbox, "first")
    assert outbox.next_round() == ["first"]
    commit(publisher, outbox, "last")
    outbox.held.set()
    publisher.stop()
    assert outbox.rounds.get_nowait() == ["last"]


def test_the_thread_ends_though_there_was_nothing_to_publish(publisher: Publisher, outbox: Outbox) -> None:
    outbox.held.set()
    publisher.stop()
    assert "publisher" not in [thread.name for thread in threading.enumerate()]


def test_a_full_broker_is_named_in_the_log_and_nothing_is_lost(world: World, tmp_path: Path) -> None:
    world.place(world.customer(), purchase())
    with embedded.redis(tmp_path, persistence=False) as server, Redis.from_url(server.url) as redis:
        app = Celery("full", broker=server.url, set_as_current=False)
        app.conf.task_publish_retry_policy = {"max_retries": 0}
        redis.config_set("maxmemory", 1)

        def publish() -> int:
            app.set_current()
            return relay.publish_pending()

        publisher = Publisher(publish)
        with capture_logs() as logs:
            publisher.start()
            publisher.nudge()
            publisher.stop()
        app.close()
    [line] = logs
    assert (line["event"], line["advice"]) == ("outbox not published", broker_check.FULL)
    assert line["said"].endswith("command not allowed when used memory > 'maxmemory'.")
    assert len(world.outbox()) == 1
