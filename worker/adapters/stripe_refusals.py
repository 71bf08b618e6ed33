"""What Stripe's refusals (402 and 400) mean to the pipeline, for each kind of call."""

from collections.abc import Callable
from typing import NoReturn

import stripe

from tasks.errors import ChargeDisputed, CustomerDeleted, KeySpent, Misconfigured, PaymentMethodRefused, Refused
from tasks.ports import Charge, Refund
from worker.adapters import stripe_reading as reading
from worker.adapters.stripe_calls import StripeAnswer
from worker.adapters.stripe_errors import Refusal, describe, is_replayed, misconfigured

SMALL_OR_LARGE = frozenset({"amount_too_small", "amount_too_large"})
_DISPUTED = frozenset({"charge_disputed", "refund_disputed_payment"})
UNUSABLE = "payment_method_unusable"
"""our own code, where Stripe gives none"""


def charge(error: Refusal, *, is_deleted: Callable[[], bool], is_theirs: Callable[[], bool]) -> StripeAnswer[Charge]:
    """is_deleted: asks whether the customer was deleted.
    is_theirs: asks whether the payment method is still the customer's. Of one that was detached, Stripe says so in its message only.
    """
    intent = error.error.payment_intent if error.error is not None else None
    if isinstance(error, stripe.CardError) and intent is not None:
        return StripeAnswer(reading.charge(intent), replayed=is_replayed(error))
    if error.param == "payment_method":
        raise PaymentMethodRefused(describe(error), code=error.code or UNUSABLE) from None
    if error.code in SMALL_OR_LARGE:
        raise Refused(describe(error), code=error.code) from None
    if is_of_customer(error):
        if is_deleted():
            raise PaymentMethodRefused(describe(error), code="customer_deleted") from None
    elif not is_theirs():
        raise PaymentMethodRefused(describe(error), code=UNUSABLE) from None
    _require_fresh(error)
    raise misconfigured(error) from None


def is_of_customer(error: Refusal) -> bool:
    """Stripe knows none of this id, or none any more."""
    return (error.code, error.param) == ("resource_missing", "customer")


def method(error: Refusal, *, customer_ref: str, is_deleted: Callable[[], bool]) -> NoReturn:
    """is_deleted: asks whether the customer was deleted."""
    if isinstance(error, stripe.CardError):
        decline_code = error.error.decline_code if error.error is not None else None
        raise PaymentMethodRefused(describe(error), code=decline_code or error.code or "") from None
    if is_of_customer(error) and is_deleted():
        raise CustomerDeleted(describe(error), code=error.code or "") from None
    if error.code == "customer_max_payment_methods":
        raise Misconfigured(
            f"Stripe keeps no more payment methods for the customer {customer_ref}: detach some that are not used any more in its Dashboard, "
            f"then have the customer enter their card again: {describe(error)}"
        ) from None
    if error.param == "customer" or error.code == "parameter_unknown":
        raise misconfigured(error) from None
    raise PaymentMethodRefused(describe(error), code=error.code or UNUSABLE) from None


def customer(error: Refusal) -> str:
    if error.param == "email":
        raise Refused(describe(error), code=error.code or "email_invalid") from None
    raise misconfigured(error) from None


def refund(error: Refusal) -> StripeAnswer[Refund]:
    _require_fresh(error)
    if error.code in ("resource_missing", "parameter_unknown"):
        raise misconfigured(error) from None
    if error.code in _DISPUTED:
        raise ChargeDisputed(describe(error), code=error.code) from None
    raise Refused(describe(error), code=error.code or "refund_refused") from None


def _require_fresh(error: Refusal) -> None:
    """Raises KeySpent for a refusal that Stripe replays: its cause may be fixed by now, and only a new key can find out."""
    if is_replayed(error):
        raise KeySpent(describe(error)) from None
