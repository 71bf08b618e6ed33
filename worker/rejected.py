"""Messages that cannot be worked on: kept in a table, told in the log, and out of the queue. None of them goes round in circles.

Connected to Celery's signals where it has them; `Consumer` and `Request` where it has none. In a worker's main process only.
"""

from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[import-untyped]
from celery import signals
from celery.exceptions import WorkerLostError
from celery.worker import consumer, request
from sqlalchemy.exc import SQLAlchemyError

from models.rejected_messages import RejectedBecause, RejectedMessage
from tasks.wiring import begin

log = structlog.get_logger()
LONGEST_BODY = 64 * 1024


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Celery's, which only logs a message that it cannot decode."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        keep(RejectedBecause.MALFORMED, message, exc)
        super().on_decode_error(message, exc)


class Request(request.Request):  # type: ignore[misc]
    """Celery's, which would hand a message to one process after the other although it kills each: this one stops at the second."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        error = exc_info.exception
        error = error.exc if isinstance(error, ExceptionWithTraceback) else error
        if isinstance(error, WorkerLostError | SystemExit) and self.delivery_info.get("redelivered"):
            keep(RejectedBecause.KILLED_ITS_WORKER, self.message, error)
            self.acknowledge()
            return
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)


@signals.task_unknown.connect
def _unknown(message: Any, exc: Exception, **_: Any) -> None:
    keep(RejectedBecause.UNKNOWN_TASK, message, exc)


@signals.task_rejected.connect
def _malformed(message: Any, exc: Exception | None, **_: Any) -> None:
    keep(RejectedBecause.MALFORMED, message, exc)


def keep(because: RejectedBecause, message: Any, error: BaseException | None) -> None:
    """Write it down; where the database is away, the log has at least that it was there."""
    queue = str((message.delivery_info or {}).get("routing_key", ""))[:60]
    headers = _as_json(message.headers if isinstance(message.headers, dict) else {})
    task = str(headers.get("task", ""))[:200]
    log.error("message rejected", because=because.value, queue=queue, task=task, error=type(error).__name__)
    try:
        with begin() as session:
            session.add(
                RejectedMessage(
                    because=because,
                    queue=queue,
                    task=task,
                    headers=headers,
                    body=_as_bytes(message.body)[:LONGEST_BODY],
                    error=f"{type(error).__name__}: {error}"[:500],
                )
            )
    except SQLAlchemyError as trouble:
        log.error("rejected message not kept", error=type(trouble).__name__)


def _as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode(errors="replace")


def _as_json(value: Any) -> Any:
    """What JSONB can hold of it; text without the NUL that PostgreSQL refuses."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {_as_json(str(name)): _as_json(each) for name, each in value.items()}
        case list() | tuple():
            return [_as_json(each) for each in value]
    return str(value).replace("\0", "�")
