"""A broker for what looks at its queues, and what a worker with threads sets up."""

from collections.abc import Iterator

import pytest
from celery import Celery, current_app

from tasks import failure_points
from tasks.running import in_process
from tests.support.in_one_process import Events, Messages, everything_stays_here
from worker.embedded import RedisServer


@pytest.fixture(autouse=True, scope="session")
def broker(redis_server: RedisServer) -> Iterator[None]:
    before = current_app._get_current_object()
    Celery("tests", broker=redis_server.database(46), set_as_current=True)
    yield
    before.set_current()


@pytest.fixture
def carries() -> bool:
    """Whether steps share a transaction; not where something is to happen between two of them."""
    return True


@pytest.fixture
def events(carries: bool) -> Iterator[Events]:
    """What is shown, while every step stays in this process."""
    seen: Events = []
    everything_stays_here(seen, carries=carries)
    yield seen
    in_process.set_up(stays_here=lambda _: False, show=lambda *_, **__: None)
    failure_points.arm(None)


@pytest.fixture
def messages() -> Messages:
    waiting = Messages()
    waiting.take()
    return waiting
