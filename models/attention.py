"""An order that a person must look at is parked: nothing happens to it until somebody acts."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, update
from sqlalchemy.orm import Session

from models import progress, step_ends
from models.orders import Order
from models.states import BACK, OrderStatus, Step

NEEDS_ATTENTION: Final = "needs-attention"


def park(session: Session, order_id: UUID, *, error: str, token: UUID | None = None) -> bool:
    """Park the order at the step it stands at; the sweep ignores it. False where it is not open, or somebody else holds it.

    token: our lease; None where we hold none.
    """
    step_ends.write(session)
    statement = (
        update(Order)
        .where(
            Order.id == order_id,
            Order.status == OrderStatus.OPEN,
            or_(Order.lease_token.is_(None), Order.lease_token == token),
        )
        .values(**_parked(error))
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    parked = session.scalar(statement) is not None
    if parked:
        progress.note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return parked


def park_after_all(session: Session, order_id: UUID, *, ended_as: OrderStatus, step: Step, error: str) -> bool:
    """Park an order that had ended as `ended_as`, or is being undone; a person resumes it at `step`.

    A step at work on it loses its lease, so that nothing based on an older answer is written. False where the order is in neither state.
    """
    statement = (
        update(Order)
        .where(
            Order.id == order_id,
            or_(Order.status == ended_as, and_(Order.status == OrderStatus.OPEN, Order.next_step.in_(BACK))),
        )
        .values(**_parked(error), next_step=step, finished_at=None)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    parked = session.scalar(statement) is not None
    if parked:
        progress.note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return parked


def _parked(error: str) -> dict[str, Any]:
    return {
        "status": OrderStatus.NEEDS_ATTENTION,
        "reason": func.coalesce(Order.reason, NEEDS_ATTENTION),  # why it turned back is still to be told
        "last_error": error[:2000],
        "lease_token": None,
        "lease_until": None,
        "next_attempt_at": None,
        "wake_at": None,
    }
