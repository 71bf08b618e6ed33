"""Cancellation requested while the chain is at work. Steps before the charge check for it first; charge and activation, under the order's lock."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import progress
from models.orders import Order
from models.states import OrderStatus, Step

BY_CUSTOMER = "cancelled-by-customer"
BY_US = "cancelled-by-us"
UNANSWERED = "customer-did-not-answer"
"""nobody asked for it: the order waited too long"""


def reason(session: Session, order: Order) -> str:
    """Why the order is to be cancelled. Read anew, because the request may have come after the order was claimed."""
    return session.scalar(select(Order.cancel_reason).where(Order.id == order.id)) or BY_CUSTOMER


def stop_if_cancelled(session: Session, order: Order, this: Step) -> bool:
    """End the order if its cancellation was requested; nothing has been charged yet."""
    if order.cancel_requested_at is None:
        return False
    progress.stop(session, order, this, OrderStatus.CANCELLED, reason=reason(session, order))
    return True
