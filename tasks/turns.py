"""How many steps of a process are at work at once, and how many may wait for the world outside.

Threads that wait for a bank cost nothing, hence many. Threads that compute share one interpreter: beyond two, each only makes the
others slower (a tenth of an order's processor time, docs/performance.md) and holds its locks in PostgreSQL for longer. So a
delivery has a turn while it works, and gives it up while it waits outside.

Nobody waits for a turn with a transaction open: those with a turn may be waiting for its locks.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AT_ONCE: Final = 2
"""in one process: one computes while the other waits for PostgreSQL"""

_turns = threading.BoundedSemaphore(AT_ONCE)


class _Mine(threading.local):
    held = False


_mine = _Mine()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a turn, and have it in the block."""
    if _mine.held:
        yield
        return
    with _turns:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


@contextmanager
def given_up() -> Iterator[None]:
    """Let another have the turn in the block, and wait for one after it; nothing where this thread has none."""
    if not _mine.held:
        yield
        return
    _mine.held = False
    _turns.release()
    try:
        yield
    finally:
        _turns.acquire()
        _mine.held = True
