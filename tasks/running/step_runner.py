"""Runs a delivered step, and after it the steps that stay in this process.

After temporary trouble the order is released and the step retried with a growing delay (after the last retry, by the sweep). Any
unexpected error is stored with the order and shown red in Flower.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from celery import current_app
from kombu.exceptions import OperationalError as BrokerAway

from models import attention, progress
from models.lease import LeaseLost
from models.states import Step, steps_from
from tasks import carrying, slots
from tasks.carrying import StepsUndone
from tasks.errors import NO_DATABASE, Misconfigured, NotAsked, TemporarilyUnavailable, without_broker
from tasks.failure_points import reach, working_on
from tasks.running import in_process, retry_policy
from tasks.running.delivery import Delivery
from tasks.running.outcome import GOES_ON, NotOurTurn, Outcome, why_not
from tasks.running.step_context import StepContext, current
from tasks.wiring import begin, wired

log = structlog.get_logger(__name__)

STEPS: Final[dict[Step, Callable[[UUID], Outcome]]] = {}
"""the function of each step, registered by `tasks.step.step`"""


def run_delivery(delivery: Delivery) -> Outcome:
    """Run the step that was delivered, and after it those that stay in this process. Returns the outcome of the delivered one."""
    if delivery.is_call:
        return _run_step(delivery, StepContext())
    try:
        return _run_steps(delivery, delivery.step, StepContext(), carries=in_process.carries())
    except StepsUndone as undone:
        fields = {"order_id": str(delivery.order_id), "since": undone.since.value, "error": repr(undone.__cause__)}
        log.warning("done again, step by step", **fields)
        if undone.since is delivery.step:
            in_process.show_undone(delivery.task.request.id, undone)
        again = StepContext(token=current.get().token, restarts=current.get().restarts)
        return _run_steps(delivery, undone.since, again, carries=False)


def _run_steps(delivery: Delivery, start: Step, context: StepContext, *, carries: bool) -> Outcome:
    """Run the steps from `start` on as far as they stay in this process, then publish the next. Returns the outcome of the delivered one.

    start: the delivered step, or a later one if that is done already. carries: see `tasks.carrying`.
    """
    with carrying.steps_of_a_delivery(wired().begin, carries=carries):
        outcomes = _run_while_they_stay_here(delivery, start, context)
    left = steps_from(start)[len(outcomes) :]
    if left and all(outcome in GOES_ON for outcome in outcomes.values()):
        _publish(delivery.order_id, left[0])
    return outcomes.get(delivery.step, Outcome.DONE)


def _run_while_they_stay_here(delivery: Delivery, start: Step, context: StepContext) -> dict[Step, Outcome]:
    """Run `start`, then those after it for as long as the order goes on and they stay here. Returns the outcome of each that was run."""
    outcomes: dict[Step, Outcome] = {}
    way = steps_from(start)
    began = time.monotonic()
    for this, following in zip(way, (*way[1:], None), strict=True):
        is_delivered = this is delivery.step
        context.next_stays_here = following is not None and in_process.stays_here(following)
        carrying.now_running(this)
        outcomes[this] = _run_step(delivery, context) if is_delivered else _run_handed_over(delivery, this, context)
        if not context.next_stays_here or outcomes[this] not in GOES_ON:
            break
        if is_delivered:
            in_process.show_done(delivery.task.request.id, outcomes[this].value, seconds=time.monotonic() - began)
        context = StepContext(current.get().handed_on)
    return outcomes


def _run_handed_over(delivery: Delivery, this: Step, context: StepContext) -> Outcome:
    """Run `this` without a message of its own. Returns POSTPONED if it failed, or is to be retried by message."""
    order_id, request = delivery.order_id, delivery.task.request
    task = current_app.tasks[this.value]
    outcome = Outcome.POSTPONED
    with in_process.shown(this, order_id, parent=request.id, root=request.root_id or request.id) as shown:
        outcome = _run_step(Delivery(task, this, order_id, retries=0, handed_over_as=shown.id), context)
        shown.result = outcome.value
    return outcome


def _run_step(delivery: Delivery, context: StepContext) -> Outcome:
    working_on(delivery.order_id)
    if context.order is not None:
        context.remember(context.order)
    current.set(context)
    reach(f"{delivery.step}.delivered")
    outcome = _translate_errors(delivery)
    reach(f"{delivery.step}.recorded")
    log.info("step", order_id=str(delivery.order_id), step=delivery.step.value, outcome=outcome.value)
    return outcome


def _translate_errors(delivery: Delivery) -> Outcome:
    try:
        return STEPS[delivery.step](delivery.order_id)
    except StepsUndone:
        raise
    except NotOurTurn:
        return why_not(delivery.order_id, delivery.step)
    except LeaseLost:
        return Outcome.HELD_BY_ANOTHER
    except NotAsked as error:
        return _try_later(delivery, error, asked=error.retry_after, waits=True)
    except TemporarilyUnavailable as error:
        return _try_later(delivery, error, asked=error.retry_after)
    except NO_DATABASE as error:
        return _try_later(delivery, error)
    except Misconfigured as error:
        delay = retry_policy.delay(delivery.retries, asked=None)
        with _again_if_away(delivery, error, delay), begin() as session:
            attention.park(session, delivery.order_id, error=f"{delivery.step}: {error}", token=current.get().token)
        raise
    except Exception as error:
        delay = retry_policy.delay(retry_policy.AFTER_A_DEFECT, asked=None)
        with _again_if_away(delivery, error, delay):
            _release(delivery, delay, error)
        raise


@contextmanager
def _again_if_away(delivery: Delivery, error: Exception, delay: timedelta) -> Iterator[None]:
    """Wraps the recording of `error`. While the database is away altogether the step is delivered again all the same; the lease runs out by itself."""
    try:
        yield
    except NO_DATABASE:
        raise delivery.again(error, delay) from error


def _try_later(delivery: Delivery, error: Exception, *, asked: float | None = None, waits: bool = False) -> Outcome:
    """waits: nothing has failed, so this uses up no retry of Celery's, and the sweep goes on with the order."""
    delay = retry_policy.delay(0 if waits else delivery.retries, asked=asked)
    with _again_if_away(delivery, error, delay):
        if not _release(delivery, delay, error, waits=waits):
            return why_not(delivery.order_id, delivery.step)
    if waits or delivery.is_last:
        return Outcome.POSTPONED
    raise delivery.again(error, delay)


def _release(delivery: Delivery, delay: timedelta, error: Exception, *, waits: bool = False) -> bool:
    """Release the order for a later try and store the error with it. False if it has moved on without us. waits: see `progress.postpone`."""
    context = current.get()
    with begin() as session:
        return progress.postpone(
            session,
            delivery.order_id,
            delivery.step,
            context.token,
            delay=delay,
            waits=waits,
            grace=retry_policy.restart_delay(0 if waits else context.restarts),
            error=f"{delivery.step}: {type(error).__name__}: {error}",
        )


def _publish(order_id: UUID, this: Step) -> None:
    """Publish the step as a message. If the broker is unreachable, the sweep continues the order."""
    try:
        with slots.given_up():
            current_app.tasks[this.value].apply_async((str(order_id),))
    except BrokerAway as error:
        log.warning(without_broker(error), order_id=str(order_id), step=this.value, error=type(error).__name__)
