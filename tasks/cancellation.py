"""Cancellation requested while the chain is at work. Steps before the charge check for it first; charge and activation, under the order's lock."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import Order
from models.states import OrderStatus, Step
from tasks.outcome import Outcome
from tasks.step import stop

BY_CUSTOMER = "cancelled-by-customer"
BY_US = "cancelled-by-us"
UNANSWERED = "customer-did-not-answer"
"""nobody asked for it: the order waited too long"""


def reason(session: Session, order: Order) -> str:
    """Why the order is to be cancelled. Read anew, because the request may have come after the order was claimed."""
    return session.scalar(select(Order.cancel_reason).where(Order.id == order.id)) or BY_CUSTOMER


def stop_if_cancelled(session: Session, order: Order, this: Step) -> Outcome | None:
    """End the order if its cancellation was requested, before anything is charged; None: go on. Raises LeaseLost."""
    if order.cancel_requested_at is None:
        return None
    return stop(session, order, this, OrderStatus.CANCELLED, reason=reason(session, order))
