"""Messages that cannot be worked on: kept in a table, told in the log, and out of the queue. None of them is redelivered endlessly.

Connected to Celery's signals where it has any; `Consumer` and `Request` catch the rest. In a worker's main process only.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any
from uuid import UUID

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[import-untyped]
from celery import signals
from celery.exceptions import InvalidTaskError, WorkerLostError
from celery.worker import consumer, request
from sqlalchemy.exc import SQLAlchemyError

from models.rejected_messages import RejectedBecause, RejectedMessage
from models.states import Step
from tasks.wiring import begin
from worker import broker

log = structlog.get_logger(__name__)
LONGEST_BODY = 64 * 1024
_STEPS = frozenset(step.value for step in Step)
"""tasks whose one argument is an order's id"""
_WHAT_COMES_NEXT = ("callbacks", "errbacks", "chain", "chord", "group")
"""what Celery would do after a task, and reads in the headers too; ours have nothing of it"""


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Keeps what Celery's only logs (a message that it cannot decode), or would restart over (headers of an unexpected shape)."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        keep(RejectedBecause.MALFORMED, message, exc)
        super().on_decode_error(message, exc)

    def create_task_handler(self, *options: Any, **named: Any) -> Callable[[Any], None]:
        receive = super().create_task_handler(*options, **named)

        def on_task_received(message: Any) -> None:
            try:
                receive(message)
            except broker.UNREADABLE as error:
                keep(RejectedBecause.MALFORMED, message, error)
                if not message.acknowledged:
                    message.reject()

        return on_task_received


class Request(request.Request):  # type: ignore[misc]
    """Celery's would run a task with arguments it does not take, and would hand a message that kills its process to one process after
    another. This one refuses the first, and stops the other at the second process."""

    def __init__(self, message: Any, **named: Any) -> None:
        super().__init__(message, **named)
        try:
            self._task.__header__(*self._args, **self._kwargs)
            if self._type in _STEPS:
                UUID(str([*self._args, *self._kwargs.values()][0]))
            if not isinstance(self.name, str) or not isinstance(self.id, str):  # the worker's own books go by them
                raise TypeError("a task's name and id must be text")
            hard, soft = self.time_limits  # wrong ones would occupy a slot of the pool for ever
            if not all(isinstance(limit, int | float | None) for limit in (hard, soft)):
                raise TypeError("time limits must be numbers")
            self._ends_with_its_task()
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidTaskError(f"wrong arguments for {self._type}: {error}") from error

    def _ends_with_its_task(self) -> None:
        """Refuse a message that wants more than its task: one that Celery then cannot send would keep a place in the worker for ever."""
        follows = self._payload[2]
        if not isinstance(follows, dict | None):
            raise TypeError("what follows the arguments must be an object")
        wanted = {name for name, value in (follows or {}).items() if value}
        wanted.update(name for name in _WHAT_COMES_NEXT if self._request_dict.get(name))
        if wanted:
            raise ValueError(
                f"tasks here have no follow-up tasks, and nothing after their arguments: {', '.join(sorted(map(str, wanted)))}"
            )

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
    """Write it down; where the database is down, at least the log says that it was there."""
    headers = _as_json(message.headers if isinstance(message.headers, dict) else {})
    queue = (message.delivery_info or {}).get("routing_key", "")
    _keep(because, error, queue=queue, headers=headers, body=_as_bytes(message.body))


def keep_unread(queue: str, item: bytes, error: Exception) -> None:
    """The same for a queue's entry that is no message at all."""
    _keep(RejectedBecause.MALFORMED, error, queue=queue, headers={}, body=item)


def _keep(
    because: RejectedBecause, error: BaseException | None, *, queue: str, headers: dict[str, Any], body: bytes
) -> None:
    queue, task = str(queue)[:60], str(headers.get("task", ""))[:200]
    log.error("message rejected", because=because.value, queue=queue, task=task, error=type(error).__name__)
    try:
        with begin() as session:
            session.add(
                RejectedMessage(
                    because=because,
                    queue=_as_json(queue),
                    task=task,
                    headers=headers,
                    body=body[:LONGEST_BODY],
                    error=_as_json(f"{type(error).__name__}: {error}"[:500]),
                )
            )
    except SQLAlchemyError as trouble:
        log.error("rejected message not kept", error=type(trouble).__name__)


broker.install(keep_unread)


def _as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else b"" if body is None else str(body).encode(errors="replace")


def _as_json(value: Any, depth: int = 20) -> Any:
    """What JSONB can hold of it; text without the NULs and lone surrogates that PostgreSQL refuses."""
    if depth == 0:
        return "..."
    match value:
        case float() if not isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {_as_json(str(name)): _as_json(each, depth - 1) for name, each in value.items()}
        case list() | tuple():
            return [_as_json(each, depth - 1) for each in value]
    return str(value).replace("\0", "�").encode(errors="replace").decode()
