"""Keeps the leases of running steps alive, so that a slow call is not mistaken for a dead worker.

One thread per process renews all its leases in one statement. A process that is killed, or paused, stops renewing, and so does one whose
delivery hangs, taking longer than any may: its orders can be claimed again once their leases expire.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import structlog

from models import lease as leasing
from tasks.wiring import begin, policy, wired

log = structlog.get_logger(__name__)


class _Delivery(threading.local):
    """What this thread is at work on."""

    began = 0.0
    """by the monotonic clock"""
    held: tuple[UUID, UUID] | None = None

    def begins(self) -> None:
        self.began, self.held = time.monotonic(), None


class Keeper:
    """The leases that this process holds: order -> token, and when the delivery that holds it began."""

    _this_thread = _Delivery()

    def __init__(self) -> None:
        self._held: dict[UUID, tuple[UUID, float]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forget)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wraps a delivery: at its end, this thread's lease is no longer renewed."""
        self._this_thread.begins()
        try:
            yield
        finally:
            if self._this_thread.held is not None:
                self._let_go(*self._this_thread.held)

    def hold(self, order_id: UUID, token: UUID) -> None:
        with self._lock:
            self._held[order_id] = token, self._this_thread.began
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._renew_for_ever, name="leases", daemon=True)
                self._thread.start()
        self._this_thread.held = order_id, token

    def _let_go(self, order_id: UUID, token: UUID) -> None:
        """Stop renewing, unless another thread has since taken over the order and its lease."""
        with self._lock:
            if self._held.get(order_id, (None,))[0] == token:
                del self._held[order_id]

    def _renew_for_ever(self) -> None:
        while True:
            lease: timedelta = policy().lease
            time.sleep(lease.total_seconds() / 3)
            if held := self._at_work(began_after=time.monotonic() - wired().longest_delivery.total_seconds()):
                self._renew(held, lease)

    def _at_work(self, *, began_after: float) -> dict[UUID, UUID]:
        """Without what hangs: it may never go on, and whoever takes its order over is safe from it (see `models.lease`)."""
        with self._lock:
            return {order_id: token for order_id, (token, began) in self._held.items() if began > began_after}

    def _renew(self, held: dict[UUID, UUID], lease: timedelta) -> None:
        try:
            with begin() as session:
                leasing.renew(session, held, lease=lease)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may succeed; if the thread ended, every lease would expire
            log.warning("leases not renewed", orders=len(held), error=type(error).__name__)

    def _forget(self) -> None:
        """Reset in a forked child, which has neither the thread nor the leases."""
        self._held, self._thread, self._lock = {}, None, threading.Lock()


keeper = Keeper()
