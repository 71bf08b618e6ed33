"""A cancellation asked for while the chain is at work: the steps before the charge look for it first, the charge and the activation under the order's lock."""

from sqlalchemy.orm import Session

from models import progress
from models.orders import Order
from models.states import OrderStatus, Step

REASON = "cancelled-by-customer"
UNANSWERED = "customer-did-not-answer"
"""nobody asked for it: the order waited too long"""


def stop_if_cancelled(session: Session, order: Order, this: Step) -> bool:
    """End the order where its cancellation was asked for; nothing was charged up to here."""
    if order.cancel_requested_at is None:
        return False
    progress.stop(session, order, this, OrderStatus.CANCELLED, reason=REASON)
    return True
