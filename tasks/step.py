"""What every step of the pipeline shares: a named Celery task that hands the order on, or ends its chain where the business says so.

A step is a plain function from an order's id to an Outcome. Around it: temporary trouble gives the order back and retries with
a growing delay (beyond the last retry the sweep goes on); anything unexpected is written to the order and shown red in Flower.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from typing import Any
from uuid import UUID

import structlog
from celery import Task, current_app, shared_task
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy.orm import Session

from models import lease, progress
from models.lease import LeaseLost
from models.orders import Order
from models.states import BACK, FORWARD, OrderStatus, Step, steps_from
from tasks import carrying, hand_over, leases, retry_policy, turns
from tasks.carrying import StepsUndone
from tasks.delivery import Delivery
from tasks.errors import NO_DATABASE, Misconfigured, TemporarilyUnavailable
from tasks.failure_points import reach, working_on
from tasks.wiring import begin, policy, wired

log = structlog.get_logger(__name__)


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


_GOES_ON = (Outcome.DONE, Outcome.ALREADY_DONE)


@dataclass(slots=True)
class _Hand:
    """What this thread's step holds.

    order: handed over by the step before, our lease still on it; None where the step has to claim it.
    next_stays_here: whether this step, once done, is to keep the lease for the next. handed_on: the order, once it has.
    token, restarts: of the order that was taken, for a step that fails: the order itself is unreadable after a rollback.
    The token is also what a step claims by that is done again under our own lease.
    """

    order: Order | None = None
    next_stays_here: bool = False
    handed_on: Order | None = None
    token: UUID | None = None
    restarts: int = 0


_hand: ContextVar[_Hand] = ContextVar("hand")

_STEPS: dict[Step, Callable[[UUID], Outcome]] = {}


def step(function: Callable[[UUID], Outcome]) -> Task:
    """Make a Celery task of a step; its name is the function's, its Step of the same name."""
    this = Step(function.__name__)
    _STEPS[this] = function

    @wraps(function)
    def run(task: Task, order_id: UUID | str) -> str:
        with turns.turn(), leases.keeper.working():
            return _walk(Delivery.by_message(task), UUID(str(order_id)), this).value

    return shared_task(run, bind=True, name=function.__name__, max_retries=retry_policy.RETRIES)


def take(session: Session, order_id: UUID, this: Step) -> Order | None:
    """The order, ours for this step; None where the step has nothing to do (see `why_not`)."""
    hand = _hand.get()
    order = hand.order or lease.claim(session, order_id, this, lease=policy().lease, held=hand.token)
    if order is not None and order.lease_token is not None:
        hand.token, hand.restarts = order.lease_token, order.restarts
        leases.keeper.hold(order.id, order.lease_token)
    return order


def done(session: Session, order: Order, this: Step, *, facts: Mapping[str, Any] | None = None) -> Outcome:
    """The step has done its part: the next one's turn. Raises LeaseLost."""
    hand = _hand.get()
    progress.advance(session, order, this, Outcome.DONE, facts=facts, keep=hand.next_stays_here)
    if hand.next_stays_here:
        hand.handed_on = order
    return Outcome.DONE


def stop(
    session: Session,
    order: Order,
    this: Step,
    status: OrderStatus,
    *,
    reason: str | None = None,
    facts: Mapping[str, Any] | None = None,
    for_customer_only: Mapping[str, Any] | None = None,
    wake_in: timedelta | None = None,
) -> Outcome:
    """This delivery ends the chain, finally or until somebody does something: see `progress.stop`. Raises LeaseLost."""
    progress.stop(
        session, order, this, status, reason=reason, facts=facts, for_customer_only=for_customer_only, wake_in=wake_in
    )
    return Outcome.STOPPED


def turn_back(session: Session, order: Order, this: Step, reason: str) -> Outcome:
    """The order cannot go on though it may have been charged: refund, tell the customer, end. Raises LeaseLost."""
    progress.turn_back(session, order, this, reason)
    return Outcome.TURNED_BACK


def why_not(order_id: UUID, this: Step) -> Outcome:
    """Why a step could not take the order."""
    with begin() as session:
        standing = progress.status_and_step(session, order_id)
    if standing is None or standing[0] is not OrderStatus.OPEN:
        return Outcome.NOT_OPEN
    went_on = standing[1] in steps_from(this)[1:] or (this in FORWARD and standing[1] in BACK)
    return Outcome.ALREADY_DONE if went_on else Outcome.HELD_BY_ANOTHER


def _walk(delivery: Delivery, order_id: UUID, first: Step) -> Outcome:
    """The step that was delivered, and after it those that stay in this process. Returns what came of the first."""
    if delivery.is_call:
        return _deliver(delivery, order_id, first, _Hand())
    try:
        return _go(delivery, order_id, first, first, _Hand(), carries=hand_over.carries())
    except StepsUndone as undone:
        told = {"order_id": str(order_id), "since": undone.since.value, "error": repr(undone.__cause__)}
        log.warning("done again, step by step", **told)
        again = _Hand(token=_hand.get().token, restarts=_hand.get().restarts)
        return _go(delivery, order_id, first, undone.since, again, carries=False)


def _go(delivery: Delivery, order_id: UUID, first: Step, start: Step, hand: _Hand, *, carries: bool) -> Outcome:
    """From `start` on; `first` came with the delivery, and is done where it lies before. carries: see `tasks.carrying`."""
    outcome = came_of_it = Outcome.DONE
    way = deque(steps_from(start))
    with carrying.walking(wired().begin, carries=carries):
        while way and came_of_it in _GOES_ON and (way[0] is first or hand_over.stays_here(way[0])):
            this = way.popleft()
            hand.next_stays_here = bool(way) and hand_over.stays_here(way[0])
            carrying.at(this)
            if this is first:
                outcome = came_of_it = _deliver(delivery, order_id, this, hand)
            else:
                came_of_it = _hand_over(delivery, order_id, this, hand)
            hand = _Hand(_hand.get().handed_on)
    if way and came_of_it in _GOES_ON:
        _publish(order_id, way[0])
    return outcome


def _hand_over(delivery: Delivery, order_id: UUID, this: Step, hand: _Hand) -> Outcome:
    """A delivery of `this` without a message. POSTPONED where it failed, or is retried by message."""
    request, task = delivery.task.request, current_app.tasks[this.value]
    outcome = Outcome.POSTPONED
    with hand_over.shown(this, order_id, parent=request.id, root=request.root_id or request.id) as shown:
        outcome = _deliver(Delivery(task, retries=0, handed_over_as=shown.id), order_id, this, hand)
        shown.result = outcome.value
    return outcome


def _deliver(delivery: Delivery, order_id: UUID, this: Step, hand: _Hand) -> Outcome:
    working_on(order_id)
    if hand.order is not None:
        hand.token, hand.restarts = hand.order.lease_token, hand.order.restarts
    _hand.set(hand)
    reach(f"{this}.delivered")
    outcome = _guarded(delivery, _STEPS[this], order_id, this)
    reach(f"{this}.recorded")
    log.info("step", order_id=str(order_id), step=this.value, outcome=outcome.value)
    return outcome


def _guarded(delivery: Delivery, function: Callable[[UUID], Outcome], order_id: UUID, this: Step) -> Outcome:
    try:
        return function(order_id)
    except StepsUndone:
        raise
    except LeaseLost:
        return Outcome.HELD_BY_ANOTHER
    except TemporarilyUnavailable as error:
        return _try_later(delivery, order_id, this, error, asked=error.retry_after)
    except NO_DATABASE as error:
        try:
            return _try_later(delivery, order_id, this, error)
        except NO_DATABASE:  # the database is away altogether: the lease runs out by itself
            raise delivery.again(order_id, error, retry_policy.delay(delivery.retries, asked=None)) from error
    except Misconfigured as error:
        with begin() as session:
            progress.park(session, order_id, error=f"{this}: {error}", token=_hand.get().token)
        raise
    except Exception as error:
        _give_back(order_id, this, retry_policy.delay(2, asked=None), error)
        raise


def _try_later(
    delivery: Delivery, order_id: UUID, this: Step, error: Exception, *, asked: float | None = None
) -> Outcome:
    delay = retry_policy.delay(delivery.retries, asked=asked)
    if not _give_back(order_id, this, delay, error):
        return why_not(order_id, this)
    if delivery.is_last:
        return Outcome.POSTPONED
    raise delivery.again(order_id, error, delay)


def _give_back(order_id: UUID, this: Step, delay: timedelta, error: Exception) -> bool:
    """Leave the order to a later try, the error written on it. False where it has moved on without us."""
    hand = _hand.get()
    with begin() as session:
        return progress.postpone(
            session,
            order_id,
            this,
            hand.token,
            delay=delay,
            grace=retry_policy.restart_delay(hand.restarts),
            error=f"{this}: {type(error).__name__}: {error}",
        )


def _publish(order_id: UUID, this: Step) -> None:
    """By message to whoever does that step; where the broker is away, the sweep goes on with the order."""
    try:
        with turns.given_up():
            current_app.tasks[this.value].apply_async((str(order_id),))
    except BrokerAway as error:
        log.warning("the broker is away", order_id=str(order_id), step=this.value, error=type(error).__name__)
