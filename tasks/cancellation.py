"""Whether the cancellation of an order was requested (`tasks.upstream.cancelling`), as its chain sees it, and why orders are cancelled.

The steps before the charge check first, and all of them check under the order's lock.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import lease
from models.ending import Ending
from models.orders import Order
from models.states import OrderStatus
from tasks.running.outcome import Outcome
from tasks.step import stop

BY_CUSTOMER = "cancelled-by-customer"
BY_US = "cancelled-by-us"
UNANSWERED = "customer-did-not-answer"
"""nobody asked for it: the order waited too long"""


def reason(session: Session, order: Order) -> str:
    """Why the order is to be cancelled. Read again, because the request may have come after the order was claimed."""
    return session.scalar(select(Order.cancel_reason).where(Order.id == order.id)) or BY_CUSTOMER


def stop_if_cancelled(session: Session, order: Order) -> Outcome | None:
    """End the order if its cancellation was requested, before anything is charged; None: go on. Raises LeaseLost.

    Until the transaction ends, no request can come: the order's row is locked. An order that was handed on may have been cancelled since.
    """
    lease.require_ours(session, order)
    if order.cancel_requested_at is None:
        return None
    return stop(session, order, Ending(OrderStatus.CANCELLED, reason=reason(session, order)))
