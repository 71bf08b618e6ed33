"""Stripe's disputes as the pipeline's: what the customer's bank decided, and how much of the money it has."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import accumulate
from typing import Final

import stripe

from models.rules.money import round_half_up
from models.states import DisputeStatus
from tasks.ports import Dispute
from worker.adapters.stripe_amounts import from_stripe
from worker.adapters.stripe_reading import ref_of

_RATES_DIFFER: Final = Fraction(5, 100)
"""By how much of what was withdrawn less may be put back, because it is converted at another day's rate."""

_STATUS = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.CLOSED,
    "needs_response": DisputeStatus.CHARGEBACK,
    "under_review": DisputeStatus.CHARGEBACK,
    "appeal_needs_response": DisputeStatus.CHARGEBACK,
    "appeal_under_review": DisputeStatus.CHARGEBACK,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


WITH: Final = ["data.charge.refunds"]
"""What is to be expanded in lists of disputes."""

_STANDS: Final = ("succeeded", "pending", "requires_action")
"""Statuses of refunds that have not failed."""


def dispute(found: stripe.Dispute) -> Dispute:
    status = _status(found)
    amount_minor = from_stripe(found.amount, found.currency)
    return Dispute(
        ref=found.id,
        status=status,
        amount_minor=_kept_minor(found, amount_minor) if status is DisputeStatus.LOST else amount_minor,
        currency=found.currency.upper(),
        reason=found.reason,
        refundable=found.is_charge_refundable and not _part_kept(found),
        due_at=_moment(found.evidence_details.due_by),
        charge_ref=ref_of(found.payment_intent),
    )


def _status(found: stripe.Dispute) -> DisputeStatus:
    """One that is newer than this code is taken for the worst: nobody must pay meanwhile, but by a refund of all, if Stripe still makes one: then it withdraws no more."""
    if found.status != "prevented":
        return _STATUS.get(found.status, DisputeStatus.CHARGEBACK)
    if _part_kept(found):
        return DisputeStatus.LOST
    if _case_type(found) != "resolution" or found.balance_transactions or _is_refunded(found):
        return DisputeStatus.CLOSED
    return DisputeStatus.CHARGEBACK  # the customer has the money, or will


def _kept_minor(found: stripe.Dispute, amount_minor: int) -> int:
    """How much of a lost dispute the bank has kept: Stripe calls one that was partially won lost, too, and its amount stays that of the whole.

    All, where nothing was put back, or as much as was withdrawn: Stripe lists two balance transactions at most, and whoever has taken the money a second
    time is not paid.
    """
    part = _part_kept(found)
    return round_half_up(amount_minor * part) if part else amount_minor


def _part_kept(found: stripe.Dispute) -> Fraction:
    """Which part of what was withdrawn from our balance is not back there; both without fees. 0 if about all is, or nothing was withdrawn.

    The balance transactions may be in another currency, that of our balance, so only their ratio counts.
    """
    amounts = [moved.amount for moved in found.balance_transactions]
    withdrawn = -min((*amounts, *accumulate(amounts)), default=0)  # at one time, as it may be withdrawn again on appeal
    part = Fraction(-sum(amounts), withdrawn) if withdrawn > 0 else Fraction(0)
    return part if part > _RATES_DIFFER else Fraction(0)


def _case_type(found: stripe.Dispute) -> str | None:
    details = getattr(found, "payment_method_details", None)
    return getattr(getattr(details, "card", None), "case_type", None)


def _is_refunded(found: stripe.Dispute) -> bool:
    """Whether refunds have returned all of the charge, or all that is disputed of it since it was. Stripe lists the ten newest."""
    charge = found.charge
    if not isinstance(charge, stripe.Charge):
        return False
    listed = charge.refunds.data if charge.refunds is not None else []
    since = sum(made.amount for made in listed if made.created >= found.created and made.status in _STANDS)
    return charge.refunded or (charge.currency == found.currency and since >= found.amount)


def _moment(seconds: int | None) -> datetime | None:
    """0, too, says that there is none."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
