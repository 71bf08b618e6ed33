"""The whole stack for a pytest process, started when a test first asks: real Celery workers, API, stand-ins."""

from collections.abc import Iterator

import pytest

from api_stub.demo import running as demo
from worker.stack import Stack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the settings that the sample orders need; tests bring accounts of their own."""
    with running(tmp_path_factory.mktemp("stack"), chosen=demo.SETTINGS, durable=False) as stack:
        yield stack
        stack.check()
