"""What every step of the pipeline shares: a named Celery task whose chain ends cleanly where the business says so.

A step is a plain function from an order's id to an Outcome. Around it: temporary trouble gives the order back and retries with
a growing delay (beyond the last retry the sweep goes on); anything unexpected is written to the order and shown red in Flower.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from uuid import UUID

import structlog
from celery import Task, shared_task
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import progress
from models.orders import Order
from models.progress import LeaseLost
from models.states import OrderStatus, Step
from tasks import leases, retry_policy
from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.failure_points import reach, working_on
from tasks.wiring import begin, policy

log = structlog.get_logger()


class Outcome(StrEnum):
    """How a delivery of a step ended, as Flower shows it."""

    DONE = "done"
    ALREADY_DONE = "already_done"
    """an earlier delivery did it; the chain goes on"""
    HELD_BY_ANOTHER = "held_by_another"
    """another worker is at it, or it is to be tried later; that one goes on with the chain"""
    NOT_OPEN = "not_open"
    """the order waits or has ended"""
    STOPPED = "stopped"
    """this delivery ended the order, or made it wait for the customer"""
    TURNED_BACK = "turned_back"
    """the order cannot go forward; its money goes back"""
    POSTPONED = "postponed"
    """not now; the sweep takes it up again"""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a failing step needs to know of the order it took; the order itself is unreadable after a rollback."""

    token: UUID | None = None
    restarts: int = 0


_claimed: ContextVar[_Claim] = ContextVar("claimed", default=_Claim())  # noqa: B039 - frozen
"""what this thread's step has taken"""

_GOES_ON = (Outcome.DONE, Outcome.ALREADY_DONE)


def step(function: Callable[[UUID], Outcome]) -> Task:
    """Make a Celery task of a step; its name is the function's, its Step of the same name."""
    this = Step(function.__name__)

    @wraps(function)
    def run(task: Task, order_id: UUID | str) -> str:
        working_on(order_id)
        reach(f"{this}.delivered")
        with leases.keeper.working():
            outcome = _guarded(task, function, UUID(str(order_id)), this)
        if outcome not in _GOES_ON:
            task.request.chain = None
        reach(f"{this}.recorded")
        log.info("step", order_id=str(order_id), step=this.value, outcome=outcome.value)
        return outcome.value

    return shared_task(run, bind=True, name=function.__name__, max_retries=retry_policy.RETRIES)


def _guarded(task: Task, function: Callable[[UUID], Outcome], order_id: UUID, this: Step) -> Outcome:
    _claimed.set(_Claim())
    try:
        return function(order_id)
    except LeaseLost:
        return Outcome.HELD_BY_ANOTHER
    except TemporarilyUnavailable as error:
        return _try_later(task, order_id, this, error, asked=error.retry_after)
    except OperationalError as error:
        try:
            return _try_later(task, order_id, this, error)
        except OperationalError:  # the database is away altogether: the lease runs out by itself
            raise _retry(task, error, retry_policy.delay(task.request.retries, asked=None)) from error
    except Misconfigured as error:
        with begin() as session:
            progress.park(session, order_id, error=f"{this}: {error}", token=_claimed.get().token)
        raise
    except Exception as error:
        _give_back(order_id, this, retry_policy.delay(2, asked=None), error)
        raise


def take(session: Session, order_id: UUID, this: Step) -> Order | None:
    """Claim the order for a step; None where the step has nothing to do (see `why_not`)."""
    order = progress.claim(session, order_id, this, lease=policy().lease)
    if order is not None and order.lease_token is not None:
        _claimed.set(_Claim(order.lease_token, order.restarts))
        leases.keeper.hold(order.id, order.lease_token)
    return order


def why_not(order_id: UUID, this: Step) -> Outcome:
    """Why a step could not take the order."""
    with begin() as session:
        standing = progress.standing(session, order_id)
    if standing is None or standing[0] is not OrderStatus.OPEN:
        return Outcome.NOT_OPEN
    return Outcome.HELD_BY_ANOTHER if standing[1] is this else Outcome.ALREADY_DONE


def _try_later(task: Task, order_id: UUID, this: Step, error: Exception, *, asked: float | None = None) -> Outcome:
    delay = retry_policy.delay(task.request.retries, asked=asked)
    if not _give_back(order_id, this, delay, error):
        return why_not(order_id, this)
    if task.request.called_directly or task.request.retries >= retry_policy.RETRIES:
        return Outcome.POSTPONED
    raise _retry(task, error, delay)


def _retry(task: Task, error: Exception, delay: timedelta) -> Exception:
    """Celery's own signal to deliver again; the error itself where there is no delivery to repeat, or no try left."""
    if task.request.called_directly or task.request.retries >= retry_policy.RETRIES:
        return error
    again: Exception = task.retry(exc=error, countdown=delay.total_seconds() + 0.1, throw=False)
    return again


def _give_back(order_id: UUID, this: Step, delay: timedelta, error: Exception) -> bool:
    """Leave the order to a later try, the error written on it. False where it has moved on without us."""
    claimed = _claimed.get()
    with begin() as session:
        return progress.postpone(
            session,
            order_id,
            this,
            claimed.token,
            delay=delay,
            grace=retry_policy.restart_delay(claimed.restarts),
            error=f"{this}: {type(error).__name__}: {error}",
        )
