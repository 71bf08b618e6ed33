"""An order's guarded transitions. Each is a compare-and-set update: the second of two callers changes nothing, and the result says so."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import recording, reservation, step_ends
from models.lease import GRACE, db_now
from models.messages import OutboxMessage
from models.orders import Order, OrderedProduct, OrderEvent, OrderStep
from models.prepared import Prepared
from models.states import AWAITS_PAYMENT, BACK, FINAL, LetterKind, OrderStatus, PaymentKind, Step, steps_from

REOPENED: Final = "order.reopened"
NEEDS_ATTENTION: Final = "needs-attention"

# Run several times for every order, so built once.
_NOTE = Prepared[()](
    insert(OrderEvent.metadata.tables[OrderEvent.__tablename__])
    .values({name: bindparam(name) for name in ("order_id", "kind", "facts")})
    .inline()
)
_PAID = Prepared[()](
    update(Order)
    .where(Order.id == bindparam("order"))
    .values(payment_kind=bindparam("kind"), payment_due_at=bindparam("due_at"))
)


def advance(
    session: Session,
    order: Order,
    step: Step,
    outcome: str,
    *,
    to: Step | None = None,
    keep: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Record that `step` is done and whose turn it is next: `to`, or the next on the way. Raises LeaseLost.

    keep: keep our lease, because the same worker goes on with the next step at once.
    """
    recording.advance(session, order, step, outcome, next_step=to or steps_from(step)[1], keep=keep, facts=facts or {})


def turn_back(session: Session, order: Order, step: Step, reason: str) -> None:
    """The order cannot go forward any more: continue with `refund_payment`, which gives back what was charged. Raises LeaseLost."""
    advance(session, order, step, "turned_back", to=Step.REFUND_PAYMENT, facts={"reason": reason})
    session.execute(update(Order).where(Order.id == order.id).values(reason=reason))
    session.execute(insert(OutboxMessage).values(order_id=order.id, step=Step.REFUND_PAYMENT))


def stop(
    session: Session,
    order: Order,
    step: Step,
    status: OrderStatus,
    *,
    reason: str | None = None,
    facts: Mapping[str, Any] | None = None,
    for_customer_only: Mapping[str, Any] | None = None,
    wake_in: timedelta | None = None,
    letter: LetterKind | None = None,
) -> None:
    """End the chain here: finally, or until somebody does something. Raises LeaseLost.

    for_customer_only: facts that are stored with the reason but left out of the timeline.
    wake_in: how soon the sweep is to look after a waiting order; None where only an action from outside can continue it.
    letter: kind of a letter of this order that has just been sent; see `recording.stop`.
    """
    told = {**({"reason": reason} if reason else {}), **(facts or {})}
    kept = {**(facts or {}), **(for_customer_only or {})}
    recording.stop(session, order, step, status, reason=reason, kept=kept, told=told, wake_in=wake_in, letter=letter)
    reservation.release(session, order, status, step)


def postpone(
    session: Session,
    order_id: UUID,
    step: Step,
    token: UUID | None,
    *,
    delay: timedelta,
    error: str,
    waits: bool = False,
    grace: timedelta = GRACE,
) -> bool:
    """Release the lease and leave the step to be tried again after `delay`. False where the order has moved on or somebody else holds it.

    token: our lease; None where we never took one, or where taking it was rolled back.
    waits: nothing is wrong, there is just nothing to do yet. Such waits never count towards parking.
    grace: how long after `delay` the sweep still leaves the order to Celery's own retry.
    """
    step_ends.write(session)
    statement = (
        update(Order)
        .where(
            Order.id == order_id,
            Order.status == OrderStatus.OPEN,
            Order.next_step == step,
            or_(Order.lease_token.is_(None), Order.lease_token == token),
        )
        .values(
            lease_token=None,
            lease_until=None,
            next_attempt_at=db_now(delay),
            wake_at=db_now(delay + grace),
            last_error=error[:2000],
            **({"restarts": 0} if waits else {}),
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        return False
    note(session, order_id, f"{step}.postponed", {"seconds": round(delay.total_seconds(), 1), "error": error[:500]})
    return True


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
        .values(
            status=OrderStatus.NEEDS_ATTENTION,
            reason=func.coalesce(Order.reason, NEEDS_ATTENTION),  # why it turned back is still to be told
            last_error=error[:2000],
            lease_token=None,
            lease_until=None,
            next_attempt_at=None,
            wake_at=None,
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    parked = session.scalar(statement) is not None
    if parked:
        note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return parked


def reopen(
    session: Session,
    order_id: UUID,
    *,
    waiting_in: tuple[OrderStatus, ...],
    step: Step,
    why: str,
    stands_at: Step | None = None,
    facts: Mapping[str, str] | None = None,
) -> bool:
    """Continue a waiting order from `step`; its chain is published through the outbox. False where its status is not in `waiting_in` (any more).

    stands_at: the step at which it must be waiting, if that matters. facts: added to `why` on the timeline.
    """
    statement = (
        update(Order)
        .where(
            Order.id == order_id, Order.status.in_(waiting_in), *([Order.next_step == stands_at] if stands_at else [])
        )
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
    note(session, order_id, REOPENED, {"why": why, "step": step.value, **(facts or {})})
    return True


def end_waiting(
    session: Session,
    order: Order,
    *,
    waiting_in: tuple[OrderStatus, ...],
    status: OrderStatus,
    reason: str,
    by: str | None = None,
) -> bool:
    """End a waiting order without a charge. False where its status is not in `waiting_in` (any more)."""
    statement = (
        update(Order)
        .where(Order.id == order.id, Order.status.in_(waiting_in))
        .values(status=status, reason=reason, reason_facts=None, next_step=None, wake_at=None, next_attempt_at=None)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        return False
    reservation.release(session, order, status, None)
    if status in FINAL:
        session.execute(delete(OrderedProduct).where(OrderedProduct.order_id == order.id))
        session.execute(update(Order).where(Order.id == order.id).values(finished_at=func.clock_timestamp()))
    note(session, order.id, f"order.{status}", {"reason": reason, **({"by": by} if by else {})})
    return True


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
        .values(
            status=OrderStatus.NEEDS_ATTENTION,
            reason=func.coalesce(Order.reason, NEEDS_ATTENTION),  # why it turned back is still to be told
            next_step=step,
            last_error=error[:2000],
            lease_token=None,
            lease_until=None,
            next_attempt_at=None,
            wake_at=None,
            finished_at=None,
        )
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    called = session.scalar(statement) is not None
    if called:
        note(session, order_id, "order.needs_attention", {"error": error[:500]})
    return called


def waited_for_customer(session: Session, order: Order) -> bool:
    """Whether a step of this revision stopped for payment details, or for another card."""
    waiting = [status.value for status in AWAITS_PAYMENT]
    stopped = select(OrderStep.step).where(
        OrderStep.order_id == order.id, OrderStep.revision == order.revision, OrderStep.outcome.in_(waiting)
    )
    return session.scalar(stopped.limit(1)) is not None


def propose_quote(session: Session, order_id: UUID, quote_id: UUID) -> None:
    """Keep the fresh quote that a waiting order may be confirmed with."""
    session.execute(update(Order).where(Order.id == order_id).values(proposed_quote_id=quote_id))


def set_payment(session: Session, order: Order, kind: PaymentKind, *, due_at: datetime | None = None) -> None:
    """How the order is paid; `due_at` where it is invoiced."""
    _PAID.run(session, {"order": order.id, "kind": kind, "due_at": due_at})
    set_committed_value(order, "payment_kind", kind)
    set_committed_value(order, "payment_due_at", due_at)


def sell_to(session: Session, order: Order, sold_to: dict[str, Any], *, vat_number: str | None) -> None:
    """Store buyer data and VAT number that have changed without changing the amount. A new number counts as not yet checked."""
    changed: dict[str, Any] = {} if sold_to == order.sold_to else {"sold_to": sold_to}
    if vat_number != order.vat_number:
        changed |= {"vat_number": vat_number, "vat_check_id": None, "vat_provisional": False}
    if changed:
        session.execute(
            update(Order).where(Order.id == order.id).values(**changed).execution_options(synchronize_session=False)
        )
    for name, value in changed.items():
        set_committed_value(order, name, value)


def status_and_step(session: Session, order_id: UUID) -> tuple[OrderStatus, Step | None] | None:
    """Status and next step now, None where there is no such order."""
    row = session.execute(select(Order.status, Order.next_step).where(Order.id == order_id)).one_or_none()
    return (row[0], row[1]) if row else None


def note(session: Session, order_id: UUID, kind: str, facts: Mapping[str, Any] | None = None) -> None:
    """Append to the order's timeline. `facts` is JSON and holds no secrets and no addresses.

    Lock the order's row first. Of two concurrent writers, the one whose entry has the lower id must commit first: a reader that continues
    after the newest entry it has seen would otherwise miss the lower one.
    """
    step_ends.write(session)
    _NOTE.run(session, {"order_id": order_id, "kind": kind, "facts": dict(facts or {})})
