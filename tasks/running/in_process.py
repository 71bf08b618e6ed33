"""Runs the next step without a message, and so without what it costs to send one and to acknowledge it.

Each step remains a task of its own: named, guarded, retried separately, and visible in Flower through events that are sent here in
place of Celery's: the delivered step's end, where another follows it here, and all of the others'. A worker declares which steps it runs in
its own process (`set_up`); the others are sent as messages.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID, uuid4

import structlog
from celery.exceptions import Retry

from models.states import Step
from tasks.carrying import StepsUndone

log = structlog.get_logger(__name__)


class Show(Protocol):
    def __call__(self, event: str, **fields: Any) -> None:
        """An event as Celery's own workers send them, `task-started` and the like."""


def _nowhere(event: str, **fields: Any) -> None:
    """The default: events go nowhere until a worker calls `set_up`."""


_stays_here: Callable[[Step], bool] = lambda _: False  # noqa: E731 - a default in the shape of what replaces it
_show: Show = _nowhere
_carries = True


def set_up(*, stays_here: Callable[[Step], bool], show: Show, carries: bool = True) -> None:
    """stays_here: whether this process runs the given step right after the previous one. carries: whether steps may share a transaction."""
    global _stays_here, _show, _carries
    _stays_here, _show, _carries = stays_here, show, carries


class _Thread(threading.local):
    """What this thread, which ends the delivery too, has shown of it."""

    done: str | None = None
    """the id of the delivered task that was shown as done"""


_this_thread = _Thread()


def stays_here(step: Step) -> bool:
    return _stays_here(step)


def carries() -> bool:
    return _carries


def show_done(task_id: str, result: str, *, seconds: float) -> None:
    """Show a delivered task as done while its delivery goes on with the next step, which may take long: Celery would do so at the end
    of the delivery, with the time of all steps.

    seconds: what its own step took. It may be rolled back together with the next one (`show_undone`).
    """
    _show("task-succeeded", uuid=task_id, result=repr(result), runtime=seconds)
    _this_thread.done = task_id


def show_undone(task_id: str, undone: StepsUndone) -> None:
    """Show that a delivered task that was shown as done is done again.

    Flower shows nothing after a success but RETRY, and after that whatever comes: the task's second success, its failure, or a retry
    by message.
    """
    if _this_thread.done == task_id:
        _this_thread.done = None
        _show("task-retried", uuid=task_id, exception=repr(undone.__cause__), traceback=traceback.format_exc())


def was_shown_done(task_id: str) -> bool:
    """Whether this thread has shown the delivered task as done. Asked as Celery is about to do so; the answer is True once."""
    shown = _this_thread.done == task_id
    if shown:
        _this_thread.done = None
    return shown


@dataclass(slots=True)
class Shown:
    """A step at work, as Flower knows it. Set `result` to its outcome."""

    id: str = field(default_factory=lambda: str(uuid4()))
    result: str | None = None


@contextmanager
def shown(step: Step, order_id: UUID, *, parent: str, root: str) -> Iterator[Shown]:
    """Wraps a step that was handed over. Its exceptions, except StepsUndone, end here: the delivery before it has succeeded."""
    this = Shown()
    began = time.monotonic()
    names = {"name": step.value, "args": repr((str(order_id),)), "kwargs": "{}", "retries": 0}
    _show("task-received", uuid=this.id, **names, eta=None, expires=None, parent_id=parent, root_id=root)
    _show("task-started", uuid=this.id)
    try:
        yield this
    except StepsUndone as undone:
        _show("task-retried", uuid=this.id, exception=repr(undone.__cause__), traceback=traceback.format_exc())
        raise
    except Retry as again:
        _show("task-retried", uuid=this.id, exception=repr(again.exc), traceback=traceback.format_exc())
    except Exception as error:
        _show("task-failed", uuid=this.id, exception=repr(error), traceback=traceback.format_exc())
        log.exception("step failed", order_id=str(order_id), step=step.value)
    else:
        _show("task-succeeded", uuid=this.id, result=repr(this.result), runtime=time.monotonic() - began)
