"""What a step's author uses. `step` turns a plain function from an order's id to an Outcome into a named Celery task. The function takes
the order, then hands it on or ends its chain, as the business rules say. `tasks.running.step_runner` runs it.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from models import lease, progress, recording
from models.ending import Ending
from models.orders import Order
from models.states import Step
from tasks import slots
from tasks.running import leases, retry_policy
from tasks.running.delivery import Delivery
from tasks.running.outcome import NotOurTurn, Outcome
from tasks.running.step_context import current
from tasks.running.step_runner import STEPS, run_delivery
from tasks.wiring import policy


def step(function: Callable[[UUID], Outcome]) -> Task:
    """Turn a step into a Celery task. The task is named after the function, which must be named after its `Step`."""
    this = Step(function.__name__)
    STEPS[this] = function

    @wraps(function)
    def run(task: Task, order_id: UUID | str) -> str:
        with slots.slot(), leases.keeper.working(), bound_contextvars(order_id=str(order_id)):  # of each log line
            return run_delivery(Delivery.by_message(task, this, UUID(str(order_id)))).value

    return shared_task(run, bind=True, name=function.__name__, max_retries=retry_policy.RETRIES)


def take(session: Session, order_id: UUID, this: Step) -> Order:
    """Claim the order for this step, or go on under our lease with the order that was handed over, which asks the database nothing.

    Raises NotOurTurn, which ends the step. That rolls back nothing that was carried: a step claims only where the one before it has not
    handed the order over, and whoever carries its work into a transaction hands the order over.
    """
    context = current.get()
    order = context.order or lease.claim(session, order_id, this, lease=policy().lease, held=context.token)
    if order is None:
        raise NotOurTurn(order_id)
    if order.lease_token is not None:
        context.remember(order)
        leases.keeper.hold(order.id, order.lease_token)
    return order


def done(session: Session, order: Order, *, facts: Mapping[str, Any] | None = None) -> Outcome:
    """Record that the step is done and that the next one follows. Raises LeaseLost."""
    context = current.get()
    if context.next_stays_here:
        recording.hand_on(session, order, facts=facts)
        context.handed_on = order
    else:
        recording.advance(session, order, Outcome.DONE, facts=facts)
    return Outcome.DONE


def wait(session: Session, order: Order, this: Step, delay: timedelta, *, why: str) -> Outcome:
    """Nothing is wrong, there is just nothing to do yet: release the order, and have the sweep repeat this step after `delay`."""
    progress.postpone(session, order.id, this, order.lease_token, delay=delay, error=why, waits=True)
    return Outcome.POSTPONED


def stop(session: Session, order: Order, ending: Ending) -> Outcome:
    """End the chain with this delivery; see `recording.stop`. Raises LeaseLost."""
    recording.stop(session, order, ending)
    return Outcome.STOPPED


def turn_back(session: Session, order: Order, reason: str) -> Outcome:
    """The order cannot go on, but may have been charged: refund it, tell the customer, end it. Raises LeaseLost."""
    recording.turn_back(session, order, reason)
    return Outcome.TURNED_BACK
