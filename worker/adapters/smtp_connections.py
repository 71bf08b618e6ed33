"""Connections kept open between emails, for a few seconds and a limited number of emails.

A connection in use belongs to one thread; an idle one waits for whichever thread is next. The one used last is taken first: a
trickle of emails keeps one open, and those that a rush has opened are closed after it. An idle one is closed when its time is over, when
the mailer is gone or the process ends. A forked child closes its copies of the parent's sockets without sending anything.
"""

import os
import select
import smtplib
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

IDLE_SECONDS: Final = 10.0
MOST_EMAILS: Final = 100
"""emails per connection; a server may end one after fewer, and says so then"""
GOODBYE_SECONDS: Final = 2.0


@dataclass(slots=True)
class Open:
    """A connection with its dialogue begun, logged in where that was asked for."""

    connection: smtplib.SMTP
    emails: int = 0
    """handed over on it so far"""
    idle_since: float = 0.0


class Connections:
    def __init__(self, *, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._waiting: list[Open] = []  # the one used last is the last
        self._closing_later = False
        weakref.finalize(self, _close_all, self._waiting)
        _everywhere.add(self)

    def take(self) -> Open | None:
        """An idle connection that looks alive: a server that has sent something unasked has ended it."""
        while (found := self._used_last()) is not None:
            if _has_spoken(found.connection):
                found.connection.close()
            elif found.emails >= MOST_EMAILS or self._is_over(found):
                goodbye(found.connection)
            else:
                return found
        return None

    def keep(self, used: Open) -> None:
        """Keep it for the next email; the server must be waiting for a command."""
        used.emails += 1
        with self._lock:
            used.idle_since = time.monotonic()
            self._waiting.append(used)
            first, self._closing_later = not self._closing_later, True
        if first:
            self._close_later()

    def forget(self) -> None:
        """In a forked child: the connections are the parent's, so only our copies of their sockets are closed."""
        self._lock, self._closing_later = threading.Lock(), False
        while self._waiting:
            self._waiting.pop().connection.close()

    def _used_last(self) -> Open | None:
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def _close_later(self) -> None:
        timer = threading.Timer(self._idle_seconds, self._close_what_is_over)
        timer.daemon = True
        timer.start()

    def _close_what_is_over(self) -> None:
        over = []
        with self._lock:
            while self._waiting and self._is_over(self._waiting[0]):
                over.append(self._waiting.pop(0))
            self._closing_later = again = bool(self._waiting)
        _close_all(over)
        if again:
            self._close_later()

    def _is_over(self, waiting: Open) -> bool:
        return time.monotonic() - waiting.idle_since >= self._idle_seconds


def goodbye(connection: smtplib.SMTP) -> None:
    """QUIT, out of courtesy: the server has every email already, so errors are ignored and the wait is short."""
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.settimeout(GOODBYE_SECONDS)
            connection.quit()
    connection.close()


def _close_all(waiting: list[Open]) -> None:
    while waiting:
        goodbye(waiting.pop().connection)


def _has_spoken(connection: smtplib.SMTP) -> bool:
    if connection.sock is None:
        return True
    asked = select.poll()
    asked.register(connection.sock, select.POLLIN)
    return bool(asked.poll(0))


_everywhere: "weakref.WeakSet[Connections]" = weakref.WeakSet()


def _after_fork() -> None:
    for connections in list(_everywhere):
        connections.forget()


os.register_at_fork(after_in_child=_after_fork)
