"""A cancellation asked for while the chain is at work: the steps before the charge look for it first, the charge and the activation under the order's lock."""

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
    """Of an order whose cancellation was asked for, maybe since it was taken in hand."""
    return session.scalar(select(Order.cancel_reason).where(Order.id == order.id)) or BY_CUSTOMER


def stop_if_cancelled(session: Session, order: Order, this: Step) -> bool:
    """End the order where its cancellation was asked for; nothing was charged up to here."""
    if order.cancel_requested_at is None:
        return False
    progress.stop(session, order, this, OrderStatus.CANCELLED, reason=reason(session, order))
    return True
