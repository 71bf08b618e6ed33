"""Refunds made at the provider without us that failed after a person had recorded the rest of the charge as given back by other means: the customer is short of them."""

import structlog
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import LetterKind
from tasks.refunds import refunded, refunds_elsewhere

log = structlog.get_logger(__name__)


def short_minor(session: Session, charge: ChargeAttempt) -> int:
    """How much of the charge the customer has from nobody, although a person recorded it as given back, as far as is noted. 0 if they have all of it, or if the sums were not recorded."""
    attempt = refunded.recorded_outside(session, charge)
    paid = refunded.paid_minor(session, charge)
    if attempt is None or paid is None:
        return 0
    by_bank: int | None = refunded.recorded_entries(session, attempt)[-1].get("by_bank_minor")
    if by_bank is None:  # an earlier commit did not record it
        return 0
    elsewhere = refunds_elsewhere.sum_minor(session, charge.order_id, charge.attempt)
    return max(0, charge.amount_minor - paid - by_bank - elsewhere)


def report(session: Session, order: Order, charge: ChargeAttempt, *, before_minor: int) -> None:
    """As an error, so that a person pays it. before_minor: what the customer was short of when that was last looked at."""
    short = short_minor(session, charge)
    if short > before_minor:
        log.error(
            "customer is short of what was recorded as refunded",
            order_id=str(order.id),
            order=order.number,
            charge=charge.ref,
            short=format_amount(short, charge.currency),
        )


def why_untrue(session: Session, order: Order) -> str | None:
    """Why the notice, which says what went to the card, is not to be sent; None if it did."""
    charge = refunded.succeeded_charge(session, order)
    short = short_minor(session, charge) if charge is not None else 0
    if charge is None or not short:
        return None
    return (
        f"the {LetterKind.REFUND_NOTICE} of order {order.number} says what was refunded, but {format_amount(short, charge.currency)} of what went to the card has failed since. "
        f"Refund it again in the provider's dashboard, or pay it by other means and run `prorata orders refunded-outside {order.number} --rest-paid`"
    )
