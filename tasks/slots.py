"""Limits how many steps of a process run at once, though more may be waiting for outside systems.

Threads that wait for a bank cost nothing, so there are many. Threads that compute share one interpreter: beyond two, each only slows the
others down (a tenth of an order's processor time, docs/performance-history.md) and holds its PostgreSQL locks for longer. So a
delivery holds a slot while it works, and gives it up while it waits for an outside system. A free slot goes alternately to a thread that
returns with an answer and to a new delivery. If returning threads always went first, all new ones would later start their calls to a slow
bank together, and the process would be idle while they wait.

A thread never waits for a slot with a transaction open: threads that hold one may be waiting for its locks.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AT_ONCE: Final = 2
"""in one process: one computes while the other waits for PostgreSQL"""


class Slots:
    """A semaphore that passes a slot directly to the longest-waiting thread, alternating between returning threads and new ones."""

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
        mine.acquire()  # until a slot is handed over

    def give(self) -> None:
        with self._lock:
            waiting = self._next or self._after
            self._next, self._after = self._after, self._next
            if waiting:
                waiting.popleft().release()
            else:
                self._free += 1


_slots = Slots(AT_ONCE)


class _Thread(threading.local):
    held = False


_this_thread = _Thread()


@contextmanager
def slot() -> Iterator[None]:
    """Wait for a slot, and hold it within the block."""
    if _this_thread.held:
        yield
        return
    _slots.take()
    _this_thread.held = True
    try:
        yield
    finally:
        _this_thread.held = False
        _slots.give()


@contextmanager
def given_up() -> Iterator[None]:
    """Give the slot up within the block, and wait for one afterwards. Does nothing if this thread holds none."""
    if not _this_thread.held:
        yield
        return
    _this_thread.held = False
    _slots.give()
    try:
        yield
    finally:
        _slots.take(back=True)
        _this_thread.held = True
