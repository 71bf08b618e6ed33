"""Stripe's documented test payment methods (https://docs.stripe.com/testing) and how each behaves."""

from dataclasses import dataclass
from enum import StrEnum


class Authentication(StrEnum):
    NEVER = "never"
    ALWAYS = "always"
    ON_SESSION = "on_session"
    """Asked for on-session; off-session it is taken as set up before."""
    UNTIL_SET_UP = "until_set_up"
    """Asked for, except off-session once a payment with setup_future_usage=off_session was authenticated."""


@dataclass(frozen=True, slots=True)
class Decline:
    code: str
    decline_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    brand: str
    last4: str
    decline: Decline | None = None
    attaches: bool = True
    authentication: Authentication = Authentication.NEVER
    refund: str = "succeeded"
    """`succeeded`, `pending_then_succeeded`, `succeeded_then_failed`"""
    country: str = "US"
    funding: str = "credit"
    type: str = "card"
    """of the payment method; with another it is no card, and has no brand"""


DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", DECLINED)
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
PROCESSING = Decline(
    "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit."
)
ALWAYS = Authentication.ALWAYS


def _declined(last4: str, decline: Decline) -> Card:
    """Stripe checks a card when it is attached, so these cannot be attached either; GENERIC after attaching is …0341."""
    return Card("visa", last4, decline=decline, attaches=False)


CARDS = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_visa_debit": Card("visa", "5556", funding="debit"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_mastercard_debit": Card("mastercard", "8210", funding="debit"),
    "pm_card_mastercard_prepaid": Card("mastercard", "5100", funding="prepaid"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_discover": Card("discover", "9424"),
    "pm_card_diners": Card("diners", "3237"),
    "pm_card_jcb": Card("jcb", "0505", country="JP"),
    "pm_card_unionpay": Card("unionpay", "0005", country="CN"),
    "pm_card_de": Card("visa", "0016", country="DE"),
    "pm_card_fr": Card("visa", "0003", country="FR"),
    "pm_card_es": Card("visa", "0007", country="ES"),
    "pm_card_it": Card("visa", "0008", country="IT"),
    "pm_card_gb": Card("visa", "0000", country="GB"),
    # declined
    "pm_card_visa_chargeDeclined": _declined("0002", GENERIC),
    "pm_card_chargeDeclined": _declined("0002", GENERIC),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined("9995", INSUFFICIENT),
    "pm_card_chargeDeclinedInsufficientFunds": _declined("9995", INSUFFICIENT),
    "pm_card_visa_chargeDeclinedLostCard": _declined("9987", Decline("card_declined", "lost_card", DECLINED)),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("9979", Decline("card_declined", "stolen_card", DECLINED)),
    "pm_card_chargeDeclinedExpiredCard": _declined(
        "0069", Decline("expired_card", "expired_card", "Your card has expired.")
    ),
    "pm_card_chargeDeclinedIncorrectCvc": _declined(
        "0127", Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
    ),
    "pm_card_chargeDeclinedProcessingError": _declined("0119", PROCESSING),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _declined(
        "6975", Decline("card_declined", "card_velocity_exceeded", DECLINED)
    ),
    "pm_card_chargeDeclinedFraudulent": _declined("0019", Decline("card_declined", "fraudulent", DECLINED)),
    "pm_card_radarBlock": _declined("0019", Decline("card_declined", "fraudulent", DECLINED)),
    "pm_card_chargeCustomerFail": Card("visa", "0341", decline=GENERIC),
    # authentication
    "pm_card_threeDSecure2Required": Card("visa", "3220", authentication=ALWAYS, country="IE"),
    "pm_card_threeDSecureRequired": Card("visa", "3063", authentication=ALWAYS),
    "pm_card_threeDSecureRequiredChargeDeclined": Card("visa", "1629", authentication=ALWAYS, decline=GENERIC),
    "pm_card_threeDSecureRequiredProcessingError": Card("visa", "1280", decline=PROCESSING),
    "pm_card_threeDSecureOptional": Card("visa", "3055"),
    "pm_card_threeDSecureOptionalProcessingError": Card("visa", "3097"),
    "pm_card_amex_threeDSecureNotSupported": Card("amex", "0005"),
    "pm_card_authenticationRequired": Card("visa", "3184", authentication=ALWAYS),
    "pm_card_authenticationRequiredOnSetup": Card("visa", "3155", authentication=Authentication.UNTIL_SET_UP),
    "pm_card_authenticationRequiredSetupForOffSession": Card("visa", "0446", authentication=Authentication.ON_SESSION),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "visa", "3178", authentication=ALWAYS, decline=INSUFFICIENT
    ),
    # no card
    "pm_usBankAccount_success": Card("", "6789", type="us_bank_account"),
    # refunds
    "pm_card_pendingRefund": Card("visa", "7726", refund="pending_then_succeeded"),
    "pm_card_refundFail": Card("visa", "5126", refund="succeeded_then_failed"),
}
