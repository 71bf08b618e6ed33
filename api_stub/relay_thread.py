"""Publishes the outbox right after a commit, beside the request: the answer does not wait for the broker.

What cannot be published stays in the outbox, where the relay on beat finds it a second later.
"""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from api_stub import broker_check

log = structlog.get_logger(__name__)

REST: Final = 0.02
"""seconds between two rounds: under load, orders are published in batches, and requests have the interpreter to themselves in between"""


class Publisher:
    """One thread; orders that are placed while it publishes, or rests, go out together in its next round."""

    def __init__(self, publish: Callable[[], int]) -> None:
        self._publish = publish
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        """Something was committed to the outbox. Returns at once."""
        self._wanted.set()

    def stop(self) -> None:
        self._ending.set()
        self._wanted.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._publish()
            except Exception as error:  # noqa: BLE001 - whatever it is, the outbox keeps the rows and the next nudge comes
                log.warning("outbox not published", error=type(error).__name__, **broker_check.told(error))
            if self._ending.wait(REST) and not self._wanted.is_set():
                return
