"""A pool of threads is full while each of them works, whatever becomes of their tasks."""

import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.support.messages import eventually
from worker.thread_pool import TaskPool
from worker.watchdog import _is_full

THREADS = 3


@pytest.fixture
def pool() -> Iterator[TaskPool]:
    made = TaskPool(THREADS)
    yield made
    made.on_stop()


def test_a_pool_is_full_while_each_thread_is_at_work(pool: TaskPool) -> None:
    may_end = threading.Event()
    for at_work in range(1, THREADS + 1):
        pool.apply_async(may_end.wait, callback=lambda _: None)
        assert _is_full(pool) is (at_work == THREADS)
    may_end.set()
    assert eventually(lambda: not _is_full(pool))


def test_threads_whose_deliveries_ended_without_celerys_knowing_are_free_and_the_log_says_why(pool: TaskPool) -> None:
    """As where no descriptor is left: the error escapes Celery's own handling of errors."""

    def escapes() -> None:
        raise OSError(24, "Too many open files")

    with capture_logs() as logs:
        for _ in range(THREADS):
            pool.apply_async(escapes, callback=lambda _: None)
        assert eventually(lambda: not _is_full(pool) and len(logs) == THREADS)
    assert {(line["event"], str(line["exc_info"])) for line in logs} == {
        ("delivery ended without Celery's knowing", "[Errno 24] Too many open files")
    }
