"""How many steps of a process are at work at once, and how many may wait for the world outside.

Threads that wait for a bank cost nothing, hence many. Threads that compute share one interpreter: beyond two, each only makes the
others slower (a tenth of an order's processor time, docs/performance-history.md) and holds its locks in PostgreSQL for longer. So a
delivery has a turn while it works, and gives it up while it waits outside. A turn that becomes free goes alternately to a thread that
comes back with an answer and to a new delivery: if those who come back always went first, all new ones would leave for a slow bank
together, and the process would stand idle while they wait there.

Nobody waits for a turn with a transaction open: those with a turn may be waiting for its locks.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AT_ONCE: Final = 2
"""in one process: one computes while the other waits for PostgreSQL"""


class Turns:
    """A semaphore that hands a turn straight to who has waited longest: of those who come back, then of those who begin, and so on."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._lock = threading.Lock()
        self._back: deque[threading.Lock] = deque()
        self._new: deque[threading.Lock] = deque()
        self._next, self._after = self._back, self._new

    def take(self, *, back: bool = False) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            (self._back if back else self._new).append(mine)
        mine.acquire()  # until a turn is handed over

    def give(self) -> None:
        with self._lock:
            waiting = self._next or self._after
            self._next, self._after = self._after, self._next
            if waiting:
                waiting.popleft().release()
            else:
                self._free += 1


_turns = Turns(AT_ONCE)


class _Mine(threading.local):
    held = False


_mine = _Mine()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for a turn, and have it in the block."""
    if _mine.held:
        yield
        return
    _turns.take()
    _mine.held = True
    try:
        yield
    finally:
        _mine.held = False
        _turns.give()


@contextmanager
def given_up() -> Iterator[None]:
    """Let another have the turn in the block, and wait for one after it; nothing where this thread has none."""
    if not _mine.held:
        yield
        return
    _mine.held = False
    _turns.give()
    try:
        yield
    finally:
        _turns.take(back=True)
        _mine.held = True
