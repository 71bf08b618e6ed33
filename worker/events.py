"""Task events for Flower are sent in batches: one message every 0.3 s instead of three for every task.

Sent one by one, an order's eighteen events cost 4.5 ms of processor time (docs/performance-history.md).

A delivered step ends before its delivery where others follow it in this process: its end is shown then, and not again.
"""

import sys
import threading
from collections import deque
from typing import Any, Final

import structlog
from celery.app import events
from celery.events.dispatcher import EventDispatcher
from redis.exceptions import NoPermissionError

from tasks.running import in_process

log = structlog.get_logger(__name__)

EVERY: Final = 0.3
"""seconds that Flower lags behind"""
KEPT: Final = 100
"""batches, half a minute of them, that wait for a Redis that is away; older ones are dropped"""


_ADVICE: Final = "allow the Redis user its channels: ACL SETUSER NAME &*"


class Dispatcher(EventDispatcher):  # type: ignore[misc]
    """Celery's, which in a worker already gathers the events of tasks, but would send them with the next turn of its loop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._gathers = bool(options.get("buffer_group"))
        self._told = False
        if self._gathers:
            options |= {"buffer_limit": sys.maxsize, "on_send_buffered": None, "buffer_while_offline": False}
        super().__init__(*args, **options)
        if self._gathers:
            self._outbound_buffer: deque[Any] = deque(maxlen=KEPT)
            threading.Thread(target=self._send_for_ever, name="events", daemon=True).start()

    def send(self, event: str, **fields: Any) -> None:
        if event == "task-succeeded" and in_process.was_shown_done(fields["uuid"]):
            return  # Celery says so at the end of the delivery
        super().send(event, **fields)

    def _publish(self, event: Any, producer: Any, routing_key: str, **options: Any) -> None:
        """What cannot be sent is kept for later, unless our user may not send it: that will not change by itself."""
        try:
            super()._publish(event, producer, routing_key, **options)
        except Exception as error:
            if not self._gathers:
                raise
            if not isinstance(error, NoPermissionError):
                self._outbound_buffer.append((event, routing_key))
            elif not self._told:
                self._told = True
                log.error("events are refused: Flower shows nothing", error=str(error), advice=_ADVICE)

    def _send_for_ever(self) -> None:
        wait = threading.Event().wait
        while not self._closed:
            wait(EVERY)
            self.flush(errors=False)


class Events(events.Events):  # type: ignore[misc]
    dispatcher_cls = f"{__name__}:Dispatcher"
