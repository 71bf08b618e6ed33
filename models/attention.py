"""An order that a person must look at is set aside: nothing happens to it until somebody acts."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, update
from sqlalchemy.orm import Session

from models import progress, step_ends
from models.orders import Order
from models.states import BACK, OrderStatus, Step

NEEDS_ATTENTION: Final = "needs-attention"


def park(session: Session, order_id: UUID, *, error: str, token: UUID | None = None) -> bool:
    """Set the order aside for a person, at the step it stands at; the sweep ignores it. False where it is not open, or somebody else holds it.

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
        .values(**_set_aside(error))
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    parked = session.scalar(statement) is not None
    if parked:
        progress.note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return parked


def call_back(session: Session, order_id: UUID, *, ended_as: OrderStatus, step: Step, error: str) -> bool:
    """Set an order aside for a person, who resumes it at `step`, although it had ended as `ended_as` or is being undone.

    A step at work on it loses its lease, so that nothing based on an older answer is written. False where the order is in neither state.
    """
    statement = (
        update(Order)
        .where(
            Order.id == order_id,
            or_(Order.status == ended_as, and_(Order.status == OrderStatus.OPEN, Order.next_step.in_(BACK))),
        )
        .values(**_set_aside(error), next_step=step, finished_at=None)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    called = session.scalar(statement) is not None
    if called:
        progress.note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return called


def _set_aside(error: str) -> dict[str, Any]:
    return {
        "status": OrderStatus.NEEDS_ATTENTION,
        "reason": func.coalesce(Order.reason, NEEDS_ATTENTION),  # why it turned back is still to be told
        "last_error": error[:2000],
        "lease_token": None,
        "lease_until": None,
        "next_attempt_at": None,
        "wake_at": None,
    }
