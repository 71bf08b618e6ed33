"""What changes of an order while its steps run, other than by their ends, which are in `recording`: a later try, how it is paid, whom it
is sold to. `waiting_orders` continues orders that wait; `attention` parks those that a person must look at.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import step_ends, timeline
from models.lease import GRACE, db_now
from models.orders import Order
from models.prepared import Prepared
from models.states import OrderStatus, PaymentKind, Step

_PAID = Prepared[()](
    update(Order)
    .where(Order.id == bindparam("order"))
    .values(payment_kind=bindparam("kind"), payment_due_at=bindparam("due_at"))
)


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
