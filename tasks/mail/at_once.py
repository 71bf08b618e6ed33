"""Limits how many threads of a process letters may hold: a mail server may take ten minutes to answer, and all else goes on meanwhile.

A letter that finds no place waits for one for `PATIENCE` seconds; as long as the mail server is quick, it gets one. If none came free for so
long, it does not wait at all: its order is postponed, so that its thread is free for payments, the sweep and heartbeats.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tasks.errors import NotAsked
from tasks.wiring import outside

PATIENCE: Final = 2.0
"""seconds"""
AGAIN_IN: Final = 5.0
"""seconds after which an order without a place asks again, at the earliest"""


class Places:
    """at_once: how many there are. patience: seconds that `wait` waits for one."""

    def __init__(
        self, at_once: float = math.inf, *, patience: float = PATIENCE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._free = at_once
        self._patience = patience
        self._now = now
        self._moved = now()
        self._came_free = threading.Condition()

    def take_free(self) -> bool:
        with self._came_free:
            return self._take()

    def wait(self) -> bool:
        """Take a place as soon as one is free; False if none came free in time."""
        with self._came_free:
            return self._came_free.wait_for(self._take, timeout=self._patience)

    def move(self) -> bool:
        """Whether one was taken or came free lately."""
        return self._now() - self._moved < self._patience

    def give(self) -> None:
        with self._came_free:
            self._free += 1
            self._moved = self._now()
            self._came_free.notify()

    def _take(self) -> bool:
        if self._free < 1:
            return False
        self._free -= 1
        self._moved = self._now()
        return True


_places = Places()


def set_up(places: Places) -> None:
    """Without this there is no limit: a process that does nothing but send letters needs none."""
    global _places
    _places = places


@contextmanager
def place() -> Iterator[None]:
    """Hold a place within the block. Raises NotAsked if there is none."""
    places = _places
    if not places.take_free():
        _wait(places)
    try:
        yield
    finally:
        places.give()


def _wait(places: Places) -> None:
    if places.move():
        with outside():
            if places.wait():
                return
    raise NotAsked("as many letters wait for the mail server's answer as this process lets wait", retry_after=AGAIN_IN)
