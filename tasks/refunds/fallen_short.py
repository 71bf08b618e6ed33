"""Refunds made at the provider without us that failed after a person had recorded the rest of the charge as given back by other means: the customer is short of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import TAKEN_BACK, DisputeStatus
from tasks.refunds import disputes, refunded, refunds_elsewhere

log = structlog.get_logger(__name__)


def short_minor(session: Session, charge: ChargeAttempt) -> int:
    """How much of the charge the customer has from nobody, although a person recorded it as given back, as far as is noted.

    0 if they have all of it, or may have it once a dispute is decided, or if the sums were not recorded, or cannot be compared.
    """
    paid = refunded.paid_minor(session, charge)
    if paid is None:
        return 0
    taken = [facts for facts in disputes.noted(session, charge) if facts["status"] in TAKEN_BACK]
    if any(facts["status"] == DisputeStatus.CHARGEBACK or facts["currency"] != charge.currency for facts in taken):
        return 0
    by_bank: int = sum(facts["amount_minor"] for facts in taken)
    elsewhere = refunds_elsewhere.sum_minor(session, charge.order_id, charge.attempt)
    return max(0, charge.amount_minor - paid - by_bank - elsewhere)


@contextmanager
def reported(session: Session, order: Order, charge: ChargeAttempt) -> Iterator[None]:
    """If the customer is short of more by what is noted within, that is logged as an error, so that a person pays it."""
    before = short_minor(session, charge)
    yield
    short = short_minor(session, charge)
    if short > before:
        log.error(
            "customer is short of what was recorded as refunded",
            order_id=str(order.id),
            order=order.number,
            charge=charge.ref,
            short=format_amount(short, charge.currency),
        )


def why_untrue(session: Session, order: Order) -> str | None:
    """What the notice says untruly of what went to the card; None if it did."""
    charge = refunded.succeeded_charge(session, order)
    if charge is None or refunded.recorded_outside(session, charge) is None:
        return None
    failed = _failed_minor(session, order, charge)
    if failed <= 0:
        return None
    untrue = f"says what was refunded, but {format_amount(failed, charge.currency)} of what went to the card has failed since"
    taken = [facts for facts in disputes.noted(session, charge) if facts["status"] in TAKEN_BACK]
    if taken:
        by = ", ".join(f"dispute {facts['dispute']}, {facts['status']}" for facts in taken)
        untrue = f"{untrue}, and the customer's bank has taken money back ({by})"
    if any(facts["status"] == DisputeStatus.CHARGEBACK for facts in taken):
        return f"{untrue}. It has not decided yet; {disputes.DO_NOT_PAY}. Wait until the dispute is closed"
    return (
        f'{untrue}. Run `prorata orders refunded-outside {order.number} --why "..."` first: '
        "it names what is owed now, to be paid by other means or refunded again in the provider's dashboard, or says that nothing is. "
        f"If it was refunded again there, `prorata orders note-refunds {order.number}` notes that where the event was missed, and the order can be resumed"
    )


def beyond_minor(session: Session, order: Order) -> int:
    """How much more went to the card than the notice says, as far as is noted, which the customer has twice. 0 if the sums were not recorded."""
    charge = refunded.succeeded_charge(session, order)
    if charge is None or refunded.paid_minor(session, charge) is None:
        return 0
    return max(0, -_failed_minor(session, order, charge))


def _failed_minor(session: Session, order: Order, charge: ChargeAttempt) -> int:
    """How much of what the notice says went to the card has failed since; below 0 if more went there."""
    to_card = charge.amount_minor - sum(refunded.recorded_minor(session, order.id))
    return to_card - refunds_elsewhere.sum_minor(session, order.id, charge.attempt)
