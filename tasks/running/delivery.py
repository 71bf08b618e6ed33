"""How a step came to run: by a message, handed over by the previous step in the same process, or called as a function.

A delivery knows how to repeat itself: after temporary trouble it goes back on its queue, with a growing delay.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from celery import Task
from celery.exceptions import Retry

from models.states import Step
from tasks import slots
from tasks.running import retry_policy

_TO_BE_SURE = 0.1
"""seconds by which a retry is delivered after the order's `next_attempt_at`, so that it is never too early"""


@dataclass(frozen=True, slots=True)
class Delivery:
    task: Task
    step: Step
    order_id: UUID
    retries: int
    handed_over_as: str | None = None
    """its id in Flower, if it was handed over and not delivered by a message"""

    @classmethod
    def by_message(cls, task: Task, step: Step, order_id: UUID) -> "Delivery":
        """The call of `task` by Celery."""
        return cls(task, step, order_id, task.request.retries)

    @property
    def is_call(self) -> bool:
        """A direct function call, by a test or by a person: there is no chain to continue."""
        return self.handed_over_as is None and bool(self.task.request.called_directly)

    @property
    def is_last(self) -> bool:
        return self.is_call or self.retries >= retry_policy.RETRIES

    def again(self, error: Exception, delay: timedelta) -> Exception:
        """Deliver again after `delay`. Returns the exception to raise: Celery's retry signal, or `error` if no try is left."""
        if self.is_last:
            return error
        countdown = delay.total_seconds() + _TO_BE_SURE
        with slots.given_up():  # a broker that hangs must not delay threads that do not need it
            return self._published(error, countdown)

    def _published(self, error: Exception, countdown: float) -> Exception:
        signal: Exception
        if self.handed_over_as is None:
            signal = self.task.retry(exc=error, countdown=countdown, throw=False)
            return signal
        options = {"countdown": countdown, "retries": self.retries + 1, "task_id": self.handed_over_as}
        self.task.apply_async((str(self.order_id),), **options)
        signal = Retry(exc=error, when=countdown)
        return signal
