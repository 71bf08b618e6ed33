"""Continues an order that has stopped, or cancels one that waits for its customer.

Each function is a compare-and-set update, as in `progress`.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from models import reservation, timeline
from models.attention import NEEDS_ATTENTION
from models.lease import GRACE, db_now
from models.messages import OutboxMessage
from models.orders import Order, OrderedProduct, OrderEvent
from models.states import AWAITS_PAYMENT, BACK, WAITS_WITHOUT_A_CHARGE, OrderStatus, Step
from models.timeline_kinds import Kind


def reopen(
    session: Session,
    order_id: UUID,
    *,
    out_of: tuple[OrderStatus, ...],
    step: Step,
    why: str,
    stands_at: Step | None = None,
    facts: Mapping[str, str] | None = None,
) -> bool:
    """Continue a stopped order from `step`; its chain is published through the outbox. False where its status is not in `out_of` (any more).

    stands_at: the step at which it must stand, if that matters. facts: added to `why` on the timeline.
    """
    statement = (
        update(Order)
        .where(Order.id == order_id, Order.status.in_(out_of), *([Order.next_step == stands_at] if stands_at else []))
        .values(
            status=OrderStatus.OPEN,
            next_step=step,
            reason=func.nullif(Order.reason, NEEDS_ATTENTION) if step in BACK else None,
            reason_facts=None,
            attempts=0,
            restarts=0,
            next_attempt_at=None,
            last_error=None,
            wake_at=db_now(GRACE),
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        return False
    session.execute(insert(OutboxMessage).values(order_id=order_id, step=step))
    timeline.note(session, order_id, Kind.ORDER_REOPENED, {"why": why, "step": step.value, **(facts or {})})
    return True


def look_at_payment(session: Session, order_id: UUID, *, why: str) -> bool:
    """Let the payment step ask the provider about an order that awaits authentication. False where it does not wait so (any more)."""
    waiting = (OrderStatus.AWAITING_AUTHENTICATION,)
    return reopen(session, order_id, out_of=waiting, step=Step.COLLECT_PAYMENT, why=why)


def cancel(session: Session, order: Order, *, reason: str, by: str | None = None) -> bool:
    """End an order that waits for its customer, with no charge under way. False where it does not wait so (any more)."""
    statement = (
        update(Order)
        .where(Order.id == order.id, Order.status.in_(WAITS_WITHOUT_A_CHARGE))
        .values(
            status=OrderStatus.CANCELLED,
            reason=reason,
            reason_facts=None,
            wake_at=None,
            next_attempt_at=None,
            finished_at=func.clock_timestamp(),
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        return False
    reservation.release(session, order, OrderStatus.CANCELLED, None)
    session.execute(delete(OrderedProduct).where(OrderedProduct.order_id == order.id))
    timeline.note(session, order.id, f"order.{OrderStatus.CANCELLED}", {"reason": reason, **({"by": by} if by else {})})
    return True


def waited_for_customer(session: Session, order: Order) -> bool:
    """Whether the order has stopped for payment details, or for another card, since its present quote was accepted.

    Neither of these entries is ever kept for a later statement (`models.step_ends`): it is in the timeline already.
    """
    accepted = select(func.max(OrderEvent.id)).where(
        OrderEvent.order_id == order.id,
        OrderEvent.kind == Kind.ORDER_REOPENED,
        OrderEvent.facts.contains({"quote_id": str(order.quote_id)}),
    )
    stopped = select(OrderEvent.id).where(
        OrderEvent.order_id == order.id,
        OrderEvent.kind.in_([f"order.{status}" for status in AWAITS_PAYMENT]),
        OrderEvent.id > func.coalesce(accepted.scalar_subquery(), 0),
    )
    return session.scalar(stopped.limit(1)) is not None


def propose_quote(session: Session, order_id: UUID, quote_id: UUID) -> None:
    """Store the fresh quote that the customer may confirm."""
    session.execute(update(Order).where(Order.id == order_id).values(proposed_quote_id=quote_id))
