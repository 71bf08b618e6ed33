"""Parks an order that a person must look at: nothing happens to it until somebody acts."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, update
from sqlalchemy.orm import Session

from models import step_ends, timeline
from models.orders import Order
from models.states import BACK, OrderStatus, Step

NEEDS_ATTENTION: Final = "needs-attention"
_LONGEST: Final = 2000


def park(session: Session, order_id: UUID, *, error: str, token: UUID | None = None) -> bool:
    """Park the order at its current step; the sweep ignores it. False if it is not open, or another worker holds it.

    token: our lease, if we hold one.
    """
    step_ends.write(session)
    is_ours = or_(Order.lease_token.is_(None), Order.lease_token == token)
    return _park(session, order_id, Order.status == OrderStatus.OPEN, is_ours, error=error)


def park_refunded(session: Session, order_id: UUID, *, error: str) -> bool:
    """Park an order that had ended as refunded, or is being undone, because its refund failed; a person resumes it at the refund.

    A step working on it loses its lease, so that nothing based on an older answer is written. False if the order is in neither state.
    """
    is_being_undone = and_(Order.status == OrderStatus.OPEN, Order.next_step.in_(BACK))
    is_either = or_(Order.status == OrderStatus.REFUNDED, is_being_undone)
    return _park(session, order_id, is_either, error=error, next_step=Step.REFUND_PAYMENT, finished_at=None)


def say_instead(order: Order, *, error: str) -> None:
    """Replace what a parked order needs a person for. The caller has locked its row."""
    order.last_error = error[:_LONGEST]


def _park(session: Session, order_id: UUID, *conditions: ColumnElement[bool], error: str, **also_set: Any) -> bool:
    statement = (
        update(Order)
        .where(Order.id == order_id, *conditions)
        .values(
            status=OrderStatus.NEEDS_ATTENTION,
            reason=func.coalesce(Order.reason, NEEDS_ATTENTION),  # the customer still has to be told why
            last_error=error[:_LONGEST],
            lease_token=None,
            lease_until=None,
            next_attempt_at=None,
            wake_at=None,
            **also_set,
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    parked = session.scalar(statement) is not None
    if parked:
        timeline.note(session, order_id, f"order.{OrderStatus.NEEDS_ATTENTION}", {"error": error[:500]})
    return parked
