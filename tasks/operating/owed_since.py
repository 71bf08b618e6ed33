"""Record that what a customer is owed since an order's charge was recorded as given back was paid by other means, too: a refund has failed, or a dispute has gone on."""

from uuid import UUID

from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount, major
from models.states import OrderStatus, Step
from tasks.operating import outside_records
from tasks.operating.order_at_hand import NotPossible, disputed, locked
from tasks.operating.resumption import Resumption, resume
from tasks.refunds import refunded
from tasks.wiring import begin


def recorded(session: Session, order_id: UUID) -> tuple[Order, ChargeAttempt] | None:
    """The order and its charge, if a person recorded it as given back, and the order has ended since, or its notice cannot be sent."""
    order = locked(session, order_id)
    if order.status is not OrderStatus.REFUNDED and not _is_parked(order):
        return None
    charge = refunded.succeeded_charge(session, order)
    return (order, charge) if charge is not None and refunded.recorded_outside(session, charge) else None


def settle(
    order: Order, charge: ChargeAttempt, *, by: str, why: str, rest_paid: bool, paid_now: str | None, newest: int | None
) -> int:
    """Record it, and return how much that was: 0 if the bank has what was recorded as refunded. An order that is parked because of its notice goes on.

    rest_paid: a person says that it was paid. paid_now: how much, if they say. newest: the newest entry about a dispute. Raises NotPossible; TemporarilyUnavailable, Misconfigured, Refused: the provider could not be asked.
    """
    of_what = f"what order {order.number} was charged"
    with begin() as session:
        paid, times = refunded.paid_minor(session, charge), outside_records.times_recorded(session, charge)
    if paid is None:
        raise NotPossible(f"{of_what} is back already; nobody recorded how much of it was paid by other means")
    back = outside_records.went_back_minor(charge)
    found, owed = disputed(charge)
    left = outside_records.left_minor(order, charge, found, owed_minor=owed, back_minor=back)
    since = outside_records.left_since(charge, of_what, found, left, paid_minor=paid, back_minor=back)
    if rest_paid and not since:
        raise NotPossible(
            f"{outside_records.is_back_already(of_what)}, and no rest is left to pay: run it without --rest-paid, which records that"
        )
    if since and not rest_paid:
        raise NotPossible(
            f"the customer is owed {format_amount(since, charge.currency)} of {of_what} since that was recorded as given back: pay that by other means first; "
            f'then run `prorata orders refunded-outside {order.number} --rest-paid --paid {major(since, charge.currency)} --why "rest by transfer"`'
        )
    outside_records.require_paid(charge, of_what, since, paid=paid_now)
    with begin() as session:
        order = locked(session, order.id)
        if outside_records.times_recorded(session, charge) != times:
            meanwhile = outside_records.recorded_by(session, charge, of_what)
            raise NotPossible(meanwhile or outside_records.is_back_already(of_what))
        outside_records.record(session, order, charge, by=by, why=why, found=found, newest=newest, owed_minor=since)
        if _is_parked(order):
            resume(session, order.id, Resumption(Step.SEND_REFUND_NOTICE, Step.SEND_REFUND_NOTICE), by=by)
    return since


def _is_parked(order: Order) -> bool:
    return order.status is OrderStatus.NEEDS_ATTENTION and order.next_step is Step.SEND_REFUND_NOTICE
