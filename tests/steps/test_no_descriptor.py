"""A process that may open no more files does not say that the broker is away."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from tasks.running import queue_heads
from tests.support.in_one_process import without_broker

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@contextmanager
def no_more_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("limited", [False, True])
def test_what_keeps_a_process_from_its_broker_is_told_as_what_it_is(limited: bool) -> None:
    with without_broker(), capture_logs() as logs:
        assert queue_heads.waiting(["orders"], now=NOW) == {}  # what is imported at the first use is there
        logs.clear()
        if limited:
            with no_more_files():
                assert queue_heads.waiting(["orders"], now=NOW) == {}
        else:
            assert queue_heads.waiting(["orders"], now=NOW) == {}
    expected = "no file descriptor is left for the broker" if limited else "the broker is away"
    assert [line["event"] for line in logs] == [expected]
