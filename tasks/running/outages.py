"""While the database fails us the recurring tasks fail each second, quietly: each process logs once that it does, and once that all of them work again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tasks.errors import NO_DATABASE, behind_a_lock, database_is_away, database_said

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_failing = set[str]()
"""tasks: where the disk is full, one of them may fail while another works"""


@contextmanager
def logged(task: str) -> Iterator[None]:
    """Around a task that asks the database, whatever comes of it."""
    try:
        yield
    except NO_DATABASE as error:
        if not behind_a_lock(error) and _is_first(task):
            log.warning(
                "the database is away" if database_is_away(error) else "the database refuses",
                said=database_said(error),
            )
        raise
    if _was_last(task):
        log.warning("the database works again")


def _is_first(task: str) -> bool:
    with _lock:
        none_before = not _failing
        _failing.add(task)
    return none_before


def _was_last(task: str) -> bool:
    with _lock:
        failed_before = task in _failing
        _failing.discard(task)
        return failed_before and not _failing
