"""An order's guarded transitions while its steps run. Each is a compare-and-set update: the second of two callers changes nothing,
and the result says so. `waiting_orders` continues orders that wait; `attention` parks those that a person must look at.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import recording, reservation, step_ends, timeline
from models.ending import Ending
from models.lease import GRACE, db_now
from models.messages import OutboxMessage
from models.orders import Order
from models.prepared import Prepared
from models.states import LetterKind, OrderStatus, PaymentKind, Step, steps_from

_PAID = Prepared[()](
    update(Order)
    .where(Order.id == bindparam("order"))
    .values(payment_kind=bindparam("kind"), payment_due_at=bindparam("due_at"))
)


def advance(
    session: Session,
    order: Order,
    outcome: str,
    *,
    to: Step | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Record that the current step is done, and which one is next: `to`, or else the one that follows. Raises LeaseLost."""
    recording.advance(session, order, outcome, next_step=to or _following(order), facts=facts or {})


def hand_on(session: Session, order: Order, *, facts: Mapping[str, Any] | None = None) -> None:
    """Record that the current step is done, and keep our lease, because the same worker runs the one that follows.

    It is written with a later statement, or at the transaction's end, which then raises LeaseLost (`models.step_ends`).
    """
    step_ends.later(session, order, "done", next_step=_following(order), facts=facts or {})


def _following(order: Order) -> Step:
    if order.next_step is None:
        raise AssertionError(f"order {order.id} stands at no step")
    return steps_from(order.next_step)[1]


def turn_back(session: Session, order: Order, reason: str) -> None:
    """The order cannot go forward any more: continue with `refund_payment`, which refunds what was charged. Raises LeaseLost."""
    advance(session, order, "turned_back", to=Step.REFUND_PAYMENT, facts={"reason": reason})
    session.execute(update(Order).where(Order.id == order.id).values(reason=reason))
    session.execute(insert(OutboxMessage).values(order_id=order.id, step=Step.REFUND_PAYMENT))


def stop(
    session: Session,
    order: Order,
    ending: Ending,
    *,
    letter: LetterKind | None = None,
) -> None:
    """End the chain here, as `ending` says, and release the balance reserved for the order if it will not be spent. Raises LeaseLost.

    letter: kind of a letter of this order that has just been sent; see `recording.stop`.
    """
    recording.stop(session, order, ending, letter=letter)
    reservation.release(session, order, ending.status, order.next_step)


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
    """Release the lease, so that the step is retried after `delay`. False if the order has moved on or another worker holds it.

    token: our lease; None if we never took one, or if that was rolled back.
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
    facts = {"seconds": round(delay.total_seconds(), 1), "error": error[:500]}
    timeline.note(session, order_id, f"{step}.postponed", facts)
    return True


def set_payment(session: Session, order: Order, kind: PaymentKind, *, due_at: datetime | None = None) -> None:
    """How the order is paid; `due_at` where it is invoiced."""
    _PAID.run(session, {"order": order.id, "kind": kind, "due_at": due_at})
    set_committed_value(order, "payment_kind", kind)
    set_committed_value(order, "payment_due_at", due_at)


def sell_to(
    session: Session, order: Order, sold_to: dict[str, Any], *, vat_number: str | None, vat_set_aside: bool
) -> None:
    """Store buyer data and VAT number that have changed without changing the amount. A new number counts as not yet checked.

    vat_set_aside: whether the number that was given is (still) set aside.
    """
    changed: dict[str, Any] = {} if sold_to == order.sold_to else {"sold_to": sold_to}
    if vat_number != order.vat_number:
        changed |= {"vat_number": vat_number, "vat_check_id": None, "vat_provisional": False}
    if vat_set_aside != order.vat_set_aside:
        changed["vat_set_aside"] = vat_set_aside
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
