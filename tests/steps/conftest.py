"""A broker for what looks at its queues: the sweep."""

from collections.abc import Iterator

import pytest
from celery import Celery, current_app

from worker.embedded import RedisServer


@pytest.fixture(autouse=True, scope="session")
def broker(redis_server: RedisServer) -> Iterator[None]:
    before = current_app._get_current_object()
    Celery("tests", broker=redis_server.url, set_as_current=True)
    yield
    before.set_current()
