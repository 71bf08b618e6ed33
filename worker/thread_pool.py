"""Celery's pool of threads, that knows how many are at work, and logs an error that would reach nobody.

Celery reads no Future. What escapes its own handling of errors (no descriptor is left, say) ends in one, and the delivery stays among those
that Celery takes for being at work.
"""

from concurrent.futures import Future
from typing import Any

import structlog
from celery import concurrency
from celery.concurrency import thread

log = structlog.get_logger(__name__)


class TaskPool(thread.TaskPool):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._begun = set[Future[None]]()

    def on_apply(self, *args: Any, **options: Any) -> thread.ApplyResult:
        result = super().on_apply(*args, **options)
        self._begun.add(result.f)
        result.f.add_done_callback(self._ended)
        return result

    def is_full(self) -> bool:
        """Whether no thread is left for another delivery."""
        return len(self._begun) >= int(self.limit)

    def _ended(self, delivery: "Future[None]") -> None:
        self._begun.discard(delivery)
        if not delivery.cancelled() and (error := delivery.exception()):
            log.error("delivery ended without Celery's knowing", exc_info=error)


concurrency.ALIASES["threads"] = f"{__name__}:TaskPool"
