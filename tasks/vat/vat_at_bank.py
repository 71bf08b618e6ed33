"""VAT that is not due, of an order paid with a charge that the customer has back, or a part of it: whether their bank has decided, and how much of that VAT is left.

The bank has taken it back by a dispute, or the provider's dashboard has refunded it.

That charge is the order's own, or, if the order changed a period, one that paid for that: the credit for it became a part of the price.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import paid_by, timeline
from models.accounts import VatCheckStatus
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt
from models.states import TAKEN_BACK, DisputeStatus, OrderStatus
from models.timeline_kinds import CAME_BACK, DISPUTED, WENT_BACK, Kind
from models.vat_follow_ups import FollowUpOutcome, VatFollowUp
from tasks.refunds import disputes, refunded, refunds_elsewhere
from tasks.vat import vat_correction


@dataclass(frozen=True, slots=True)
class Taken:
    """A charge that paid for an order, of which the customer's bank has money, or the customer what the provider's dashboard refunded."""

    charge: ChargeAttempt
    share: Fraction
    """of the charge, that paid for what the order keeps"""
    disputes: Sequence[Mapping[str, Any]]
    """the newest entry in the timeline about each dispute by which the bank has it"""
    elsewhere_minor: int
    """what the dashboard refunded"""


def taken_back(session: Session, order: Order) -> list[Taken]:
    """Every such charge of the order."""
    found = []
    for order_id, share in paid_by.shares(session, order.id).items():
        charge = refunded.succeeded_charge(session, session.get_one(Order, order_id))
        if charge is None:
            continue
        taken, elsewhere = _taken(session, charge), refunds_elsewhere.sum_minor(session, order_id, charge.attempt)
        if taken or elsewhere > 0:
            found.append(Taken(charge, share, taken, elsewhere))
    return found


def _taken(session: Session, charge: ChargeAttempt) -> list[Mapping[str, Any]]:
    noted = select(OrderEvent).where(OrderEvent.order_id == charge.order_id, OrderEvent.kind.in_(DISPUTED))
    latest = disputes.latest(session.scalars(noted.order_by(OrderEvent.id)), charge.attempt)
    return [facts for facts in latest if facts["status"] in TAKEN_BACK and not _is_paid_again(session, charge, facts)]


def _is_paid_again(session: Session, charge: ChargeAttempt, dispute: Mapping[str, Any]) -> bool:
    """Whether a person says that the customer has paid what the bank took. A settlement without that may mean that it is left to them."""
    paid = {"dispute": dispute["dispute"], "paid_again": True}
    return timeline.is_noted(session, charge.order_id, Kind.DISPUTE_SETTLED, paid)


def is_by_bank(taken: Sequence[Taken]) -> bool:
    return any(each.disputes for each in taken)


def is_decided(taken: Sequence[Taken]) -> bool:
    return all(facts["status"] == DisputeStatus.LOST for each in taken for facts in each.disputes)


def is_withheld(session: Session, order: Order) -> bool:
    """Whether VAT is not credited as long as the bank has not decided."""
    row = session.get(VatFollowUp, order.id)
    answered = row is not None and row.outcome is None and row.vat_check_id is not None
    return answered and order.status is OrderStatus.COMPLETED and not is_decided(taken_back(session, order))


def vat_owed_minor(session: Session, order: Order, taken: Sequence[Taken]) -> int:
    """How much of the VAT the customer has from nobody, at least, if a part of the charges is back.

    0 if the bank took a sum in another currency, which cannot be compared.
    """
    if any(facts["currency"] != each.charge.currency for each in taken for facts in each.disputes):
        return 0
    back = sum(each.share * _back_minor(each) for each in taken)
    return max(0, math.floor(vat_correction.still_charged(session, order) - back))


def payable_by_a_person(session: Session, order: Order, charge: ChargeAttempt) -> int:
    """The most VAT of the order that a person may have paid once the registry had answered; whether they did is recorded nowhere.

    That is what they were told to pay then, and what the dashboard had refunded of the charge, so that they were not told of it, and has failed since.
    It is not less if the dashboard refunded something since: that may have been the rest without VAT that they paid by other means.
    """
    kinds = (Kind.VAT_FOLLOWED_UP, *WENT_BACK, *CAME_BACK)
    entries = select(OrderEvent.kind, OrderEvent.facts).where(
        OrderEvent.order_id == order.id, OrderEvent.kind.in_(kinds)
    )
    told = failed_since = 0
    is_left, went_back = False, set()
    for kind, facts in session.execute(entries.order_by(OrderEvent.id)):
        if kind == Kind.VAT_FOLLOWED_UP:
            told = facts.get("owed_minor", 0)
            is_left = (facts["answer"], facts["outcome"]) == (VatCheckStatus.VALID, FollowUpOutcome.CONFIRMED)
        elif facts.get("attempt") != charge.attempt:
            continue
        elif kind in WENT_BACK and not is_left:
            went_back.add(facts.get("refund"))
        elif kind in CAME_BACK and is_left and facts.get("refund") in went_back:
            failed_since += facts.get("amount_minor", 0)
    return told + min(failed_since, max(0, order.tax_minor - told))


def _back_minor(taken: Taken) -> int:
    by_bank: int = sum(facts["amount_minor"] for facts in taken.disputes)
    return by_bank + taken.elsewhere_minor
