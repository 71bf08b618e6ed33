"""While the database is away the recurring tasks fail each second, quietly: each process logs once that it is, and once that it is back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tasks.errors import NO_DATABASE, behind_a_lock, database_said

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_away = False


@contextmanager
def logged() -> Iterator[None]:
    """Around a task that asks the database, whatever comes of it."""
    try:
        yield
    except NO_DATABASE as error:
        if not behind_a_lock(error) and _is_news(away=True):
            log.warning("the database is away", said=database_said(error))
        raise
    if _is_news(away=False):
        log.warning("the database is back")


def _is_news(*, away: bool) -> bool:
    global _away
    with _lock:
        before, _away = _away, away
    return away is not before
