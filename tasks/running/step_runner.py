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
from tasks.errors import NO_DATABASE, Misconfigured, TemporarilyUnavailable
from tasks.failure_points import reach, working_on
from tasks.running import in_process, retry_policy
from tasks.running.delivery import Delivery
from tasks.running.outcome import GOES_ON, Outcome, why_not
from tasks.running.step_context import StepContext, current
from tasks.wiring import begin, wired

log = structlog.get_logger(__name__)

STEPS: Final[dict[Step, Callable[[UUID], Outcome]]] = {}
"""the function of each step, registered by `tasks.step.step`"""


def run_delivery(delivery: Delivery, order_id: UUID, delivered: Step) -> Outcome:
    """Run the step that was delivered, and after it those that stay in this process. Returns the outcome of the delivered one."""
    if delivery.is_call:
        return _run_step(delivery, order_id, delivered, StepContext())
    try:
        return _run_steps(delivery, order_id, delivered, delivered, StepContext(), carries=in_process.carries())
    except StepsUndone as undone:
        fields = {"order_id": str(order_id), "since": undone.since.value, "error": repr(undone.__cause__)}
        log.warning("done again, step by step", **fields)
        if undone.since is delivered:
            in_process.show_undone(delivery.task.request.id, undone)
        again = StepContext(token=current.get().token, restarts=current.get().restarts)
        return _run_steps(delivery, order_id, delivered, undone.since, again, carries=False)


def _run_steps(
    delivery: Delivery, order_id: UUID, delivered: Step, start: Step, context: StepContext, *, carries: bool
) -> Outcome:
    """Run the steps from `start` on as far as they stay in this process, then publish the next. Returns the outcome of the delivered one.

    delivered: what the message named; if it is before `start`, it is done already. carries: see `tasks.carrying`.
    """
    with carrying.steps_of_a_delivery(wired().begin, carries=carries):
        outcomes = _run_those_here(delivery, order_id, delivered, start, context)
    left = steps_from(start)[len(outcomes) :]
    if left and all(outcome in GOES_ON for outcome in outcomes.values()):
        _publish(order_id, left[0])
    return outcomes.get(delivered, Outcome.DONE)


def _run_those_here(
    delivery: Delivery, order_id: UUID, delivered: Step, start: Step, context: StepContext
) -> dict[Step, Outcome]:
    """Run `start`, then those after it for as long as the order goes on and they stay here. Returns the outcome of each that was run."""
    outcomes: dict[Step, Outcome] = {}
    way = steps_from(start)
    began = time.monotonic()
    for this, following in zip(way, (*way[1:], None), strict=True):
        context.next_stays_here = following is not None and in_process.stays_here(following)
        carrying.now_running(this)
        run = _run_step if this is delivered else _run_without_message
        outcomes[this] = run(delivery, order_id, this, context)
        if not context.next_stays_here or outcomes[this] not in GOES_ON:
            break
        if this is delivered:
            in_process.show_done(delivery.task.request.id, outcomes[this].value, seconds=time.monotonic() - began)
        context = StepContext(current.get().handed_on)
    return outcomes


def _run_without_message(delivery: Delivery, order_id: UUID, this: Step, context: StepContext) -> Outcome:
    """Run `this`, handed over without a message. Returns POSTPONED if it failed, or is to be retried by message."""
    request = delivery.task.request
    task = current_app.tasks[this.value]
    outcome = Outcome.POSTPONED
    with in_process.shown(this, order_id, parent=request.id, root=request.root_id or request.id) as shown:
        outcome = _run_step(Delivery(task, retries=0, handed_over_as=shown.id), order_id, this, context)
        shown.result = outcome.value
    return outcome


def _run_step(delivery: Delivery, order_id: UUID, this: Step, context: StepContext) -> Outcome:
    working_on(order_id)
    if context.order is not None:
        context.remember(context.order)
    current.set(context)
    reach(f"{this}.delivered")
    outcome = _translate_errors(delivery, STEPS[this], order_id, this)
    reach(f"{this}.recorded")
    log.info("step", order_id=str(order_id), step=this.value, outcome=outcome.value)
    return outcome


def _translate_errors(delivery: Delivery, function: Callable[[UUID], Outcome], order_id: UUID, this: Step) -> Outcome:
    try:
        return function(order_id)
    except StepsUndone:
        raise
    except LeaseLost:
        return Outcome.HELD_BY_ANOTHER
    except TemporarilyUnavailable as error:
        return _try_later(delivery, order_id, this, error, asked=error.retry_after)
    except NO_DATABASE as error:
        return _try_later(delivery, order_id, this, error)
    except Misconfigured as error:
        delay = retry_policy.delay(delivery.retries, asked=None)
        with _again_if_away(delivery, order_id, error, delay), begin() as session:
            attention.park(session, order_id, error=f"{this}: {error}", token=current.get().token)
        raise
    except Exception as error:
        delay = retry_policy.delay(2, asked=None)
        with _again_if_away(delivery, order_id, error, delay):
            _release(order_id, this, delay, error)
        raise


@contextmanager
def _again_if_away(delivery: Delivery, order_id: UUID, error: Exception, delay: timedelta) -> Iterator[None]:
    """Wraps the recording of `error`. While the database is away altogether the step is delivered again all the same; the lease runs out by itself."""
    try:
        yield
    except NO_DATABASE:
        raise delivery.again(order_id, error, delay) from error


def _try_later(
    delivery: Delivery, order_id: UUID, this: Step, error: Exception, *, asked: float | None = None
) -> Outcome:
    delay = retry_policy.delay(delivery.retries, asked=asked)
    with _again_if_away(delivery, order_id, error, delay):
        if not _release(order_id, this, delay, error):
            return why_not(order_id, this)
    if delivery.is_last:
        return Outcome.POSTPONED
    raise delivery.again(order_id, error, delay)


def _release(order_id: UUID, this: Step, delay: timedelta, error: Exception) -> bool:
    """Release the order for a later try and store the error with it. False if it has moved on without us."""
    context = current.get()
    with begin() as session:
        return progress.postpone(
            session,
            order_id,
            this,
            context.token,
            delay=delay,
            grace=retry_policy.restart_delay(context.restarts),
            error=f"{this}: {type(error).__name__}: {error}",
        )


def _publish(order_id: UUID, this: Step) -> None:
    """Publish the step as a message. If the broker is unreachable, the sweep continues the order."""
    try:
        with slots.given_up():
            current_app.tasks[this.value].apply_async((str(order_id),))
    except BrokerAway as error:
        log.warning("the broker is away", order_id=str(order_id), step=this.value, error=type(error).__name__)
