"""Runs the next step without a message: six messages and their acknowledgements took a fifth of an order's processor time.

Each step remains a task of its own: named, guarded, retried separately, and visible in Flower through events that are sent here in
place of Celery's. A worker declares which steps it runs in its own process (`set_up`); the others are sent as messages.
"""

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


_here: Callable[[Step], bool] = lambda _: False  # noqa: E731 - a default in the shape of what replaces it
_show: Show = _nowhere
_carries = True


def set_up(*, here: Callable[[Step], bool], show: Show, carries: bool = True) -> None:
    """here: whether this process runs the given step right after the previous one. carries: whether steps may share a transaction."""
    global _here, _show, _carries
    _here, _show, _carries = here, show, carries


def stays_here(step: Step) -> bool:
    return _here(step)


def carries() -> bool:
    return _carries


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
