"""VAT that is not due, of a charge that the customer's bank has taken back: whether the bank has decided, and what it left of that VAT."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import disputed_charges
from models.orders import Order, OrderEvent
from models.states import TAKEN_BACK, DisputeStatus, OrderStatus
from models.vat_follow_ups import VatFollowUp
from tasks.refunds import disputes, refunded, refunds_elsewhere
from tasks.vat import vat_correction

Taken = Sequence[Mapping[str, Any]]
"""the newest entry in the order's timeline about each dispute by which the bank has money of the charge that paid for the order"""


def taken_back(session: Session, order: Order) -> Taken:
    charge = refunded.succeeded_charge(session, order)
    if charge is None:
        return ()
    noted = select(OrderEvent).where(OrderEvent.order_id == order.id, OrderEvent.kind.in_(disputed_charges.KINDS))
    entries = session.scalars(noted.order_by(OrderEvent.id))
    return [facts for facts in disputes.latest(entries, charge.attempt) if facts["status"] in TAKEN_BACK]


def is_decided(taken: Taken) -> bool:
    return all(facts["status"] == DisputeStatus.LOST for facts in taken)


def is_withheld(session: Session, order: Order) -> bool:
    """Whether VAT is not credited as long as the bank has not decided."""
    row = session.get(VatFollowUp, order.id)
    answered = row is not None and row.outcome is None and row.vat_check_id is not None
    return answered and order.status is OrderStatus.COMPLETED and not is_decided(taken_back(session, order))


def vat_owed_minor(session: Session, order: Order, taken: Taken) -> int:
    """How much of the VAT the customer has from nobody, if the bank took a part of the charge. What the provider's dashboard refunded counts, too.

    0 if the bank took a sum in another currency, which cannot be compared.
    """
    charge = refunded.succeeded_charge(session, order)
    if charge is None or any(facts["currency"] != charge.currency for facts in taken):
        return 0
    back: int = sum(facts["amount_minor"] for facts in taken)
    back += refunds_elsewhere.sum_minor(session, order.id, charge.attempt)
    return max(0, vat_correction.still_charged(session, order) - back)
