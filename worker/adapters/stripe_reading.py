"""Stripe's objects as the pipeline's values."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import stripe

from tasks.ports import (
    Charge,
    ChargeStatus,
    EventKind,
    Refund,
    RefundStatus,
    StoredPaymentMethod,
    Unreadable,
)
from worker.adapters.stripe_amounts import from_stripe

# requires_payment_method and requires_confirmation mean that nothing was tried yet, or that the try was refused (see `_was_tried`).
_CHARGE_STATUS = {
    "succeeded": ChargeStatus.SUCCEEDED,
    "requires_action": ChargeStatus.REQUIRES_ACTION,
    "processing": ChargeStatus.PROCESSING,
    "requires_capture": ChargeStatus.PROCESSING,
    "requires_payment_method": ChargeStatus.DECLINED,
    "requires_confirmation": ChargeStatus.DECLINED,
    "canceled": ChargeStatus.CANCELED,
}
_REFUND_STATUS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""what the SDK and this module raise on an answer that is not Stripe's, or has values newer than this code"""

EVENT_KINDS = {
    "charge.succeeded": EventKind.TAKEN,
    "charge.updated": EventKind.TAKEN,
    "payment_intent.created": EventKind.TAKEN,
    "payment_intent.succeeded": EventKind.TAKEN,
    "charge.refund.updated": EventKind.REFUND,
    "charge.refunded": EventKind.REFUND,
    "refund.created": EventKind.REFUND,
    "refund.failed": EventKind.REFUND,
    "refund.updated": EventKind.REFUND,
}
"""by the types of Stripe's events"""


def charge(intent: stripe.PaymentIntent) -> Charge:
    status = _CHARGE_STATUS[intent.status]
    if status is ChargeStatus.DECLINED and not _was_tried(intent):
        status = ChargeStatus.UNTRIED
    return Charge(
        ref=intent.id,
        status=status,
        amount_minor=from_stripe(intent.amount, intent.currency),
        currency=intent.currency.upper(),
        decline_code=_decline_code(intent) if status is ChargeStatus.DECLINED else None,
        action_url=_action_url(intent) if status is ChargeStatus.REQUIRES_ACTION else None,
        order_id=order_of(intent),
        attempt=_attempt(intent),
        refunded=bool(_latest(intent, "refunded")),
        refunded_minor=from_stripe(_latest(intent, "amount_refunded"), intent.currency),
        disputed=bool(_latest(intent, "disputed")),
    )


def listed_charge(intent: stripe.PaymentIntent) -> Charge | Unreadable:
    """For lists: one that cannot be read, perhaps another integration's, must not hide the others."""
    try:
        return charge(intent)
    except UNREADABLE:
        status = str(getattr(intent, "status", None))
        return Unreadable(intent.id, status, order_id=order_of(intent), attempt=_attempt(intent))


def order_of(made: stripe.PaymentIntent | stripe.Refund) -> UUID | None:
    return _uuid(_metadata(made).get("order_id"))


def refund(given: stripe.Refund) -> Refund:
    status = _REFUND_STATUS[given.status or "pending"]
    if status is RefundStatus.PENDING and getattr(given, "pending_reason", None) == "insufficient_funds":
        status = RefundStatus.AWAITING_FUNDS
    return Refund(
        ref=given.id,
        status=status,
        amount_minor=from_stripe(given.amount, given.currency),
        currency=given.currency.upper(),
        failure_reason=getattr(given, "failure_reason", None),
        attempt=_attempt(given),
        order_id=order_of(given),
        charge_ref=ref_of(given.payment_intent),
    )


def listed_refund(given: stripe.Refund) -> Refund | Unreadable:
    """Likewise."""
    try:
        return refund(given)
    except UNREADABLE:
        status = str(getattr(given, "status", None))
        charge_ref = ref_of(getattr(given, "payment_intent", None))
        return Unreadable(given.id, status, order_id=order_of(given), attempt=_attempt(given), charge_ref=charge_ref)


def payment_method(method: stripe.PaymentMethod) -> StoredPaymentMethod | None:
    """None: it is no card."""
    if method.type != "card" or (card := method.card) is None:
        return None
    return StoredPaymentMethod(ref=method.id, brand=card.brand, last4=card.last4 or "")


def customer_of(method: stripe.PaymentMethod) -> str | None:
    """Whose it is; None if it is attached to nobody."""
    return method.customer.id if isinstance(method.customer, stripe.Customer) else method.customer


def intent_of(event: Mapping[str, Any]) -> str | None:
    """The PaymentIntent that an event is about: the object itself, or that of a charge, refund or dispute. Raises KeyError, TypeError: no event."""
    subject = event["data"]["object"]
    if not isinstance(subject, Mapping):
        return None
    ref = subject.get("id" if subject.get("object") == "payment_intent" else "payment_intent")
    return ref if isinstance(ref, str) else None


def ref_of(of: str | stripe.PaymentIntent | None) -> str | None:
    return of.id if isinstance(of, stripe.PaymentIntent) else of


def is_replayed(response: stripe.StripeResponse | None) -> bool:
    return response is not None and response.headers.get("idempotent-replayed") == "true"


def _metadata(subject: stripe.PaymentIntent | stripe.Refund) -> dict[str, str]:
    metadata = getattr(subject, "metadata", None)
    return metadata.to_dict() if metadata else {}


def _attempt(subject: stripe.PaymentIntent | stripe.Refund) -> int | None:
    return _number(_metadata(subject).get("attempt"))


def _was_tried(intent: stripe.PaymentIntent) -> bool:
    """Stripe makes the intent first and asks the bank then, also in one request: whoever looks meanwhile sees one that nobody has tried."""
    return intent.last_payment_error is not None or intent.latest_charge is not None


def _latest(intent: stripe.PaymentIntent, name: str) -> int:
    """What its latest charge says. 0 where the answer has only the charge's id, as a new charge's has."""
    latest = getattr(intent, "latest_charge", None)
    return getattr(latest, name) or 0 if isinstance(latest, stripe.Charge) else 0


def _decline_code(intent: stripe.PaymentIntent) -> str | None:
    error = intent.last_payment_error
    return getattr(error, "decline_code", None) or getattr(error, "code", None)


def _action_url(intent: stripe.PaymentIntent) -> str | None:
    redirect = getattr(intent.next_action, "redirect_to_url", None)
    return getattr(redirect, "url", None)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    """Of an attempt, which is no larger than its column; metadata of others may have any number."""
    number = int(text) if text and text.isdecimal() and len(text) <= 10 else None
    return number if number is not None and number < 2**31 else None
