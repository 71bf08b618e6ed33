"""What becomes of a confirmed PaymentIntent: taken, refused (402), or waiting for the cardholder's authentication."""

import hashlib
from dataclasses import dataclass
from typing import Any

from api_stub.stand_ins.stripe import charges
from api_stub.stand_ins.stripe.cards import Authentication, Card, Decline
from api_stub.stand_ins.stripe.errors import Answer, JsonObject
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.payment_methods import card_of

AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    "",
    "The provided payment method has failed authentication. You can provide payment_method_data or a new PaymentMethod to"
    " attempt to fulfill this PaymentIntent again.",
)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How the merchant confirms."""

    off_session: bool
    return_url: str | None
    use_stripe_sdk: bool
    error_on_requires_action: bool

    @classmethod
    def of(cls, params: dict[str, Any]) -> "Confirmation":
        return cls(
            off_session=bool(params.get("off_session", False)),
            return_url=params.get("return_url"),
            use_stripe_sdk=params.get("use_stripe_sdk", False),
            error_on_requires_action=params.get("error_on_requires_action", False),
        )


def confirm_with(
    ledger: Ledger, intent: JsonObject, method: JsonObject, how: Confirmation, key: str | None, base_url: str
) -> JsonObject | Answer:
    card = card_of(ledger, method)
    if _must_authenticate(ledger, method, card, off_session=how.off_session):
        if how.off_session or how.error_on_requires_action:
            return _refused(ledger, intent, method, AUTHENTICATION_REQUIRED, key)
        return _challenge(ledger, intent, method, how, key, base_url)
    return settle(ledger, intent, method, key)


def _must_authenticate(ledger: Ledger, method: JsonObject, card: Card, *, off_session: bool) -> bool:
    if card.authentication is Authentication.NEVER:
        return False
    if card.authentication is Authentication.ALWAYS or not off_session:
        return True
    return card.authentication is Authentication.UNTIL_SET_UP and not ledger.setting(
        f"set up for off-session: {method['id']}"
    )


def _challenge(
    ledger: Ledger, intent: JsonObject, method: JsonObject, how: Confirmation, key: str | None, base_url: str
) -> JsonObject:
    page = f"{base_url}/authenticate/{intent['id']}?ticket={ticket(intent)}"
    if how.return_url and not how.use_stripe_sdk:
        action: JsonObject = {"type": "redirect_to_url", "redirect_to_url": {"url": page, "return_url": how.return_url}}
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": page}}
    intent.update(status="requires_action", payment_method=method["id"], next_action=action, last_payment_error=None)
    ledger.save(intent)
    ledger.emit("payment_intent.requires_action", intent, idempotency_key=key)
    return intent


def ticket(intent: JsonObject) -> str:
    """Opens the authentication page; the client secret itself stays out of its address."""
    return hashlib.sha256(f"authenticate {intent['client_secret']}".encode()).hexdigest()[:32]


def settle(ledger: Ledger, intent: JsonObject, method: JsonObject, key: str | None) -> JsonObject | Answer:
    """The bank's decision, authentication aside."""
    decline = card_of(ledger, method).decline
    if decline is not None:
        return _refused(ledger, intent, method, decline, key)
    charge = charges.take(ledger, intent, method)
    intent.update(
        status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"], payment_method=method["id"],
        next_action=None, last_payment_error=None,
    )  # fmt: skip
    ledger.save(intent)
    if intent["setup_future_usage"] == "off_session":
        ledger.set(f"set up for off-session: {method['id']}", "yes")
    ledger.emit("charge.succeeded", charge, idempotency_key=key)
    ledger.emit("payment_intent.succeeded", intent, idempotency_key=key)
    return intent


def fail_authentication(ledger: Ledger, intent: JsonObject, method: JsonObject) -> None:
    error = charges.payment_error(AUTHENTICATION_FAILED, None, method)
    _back_to_start(ledger, intent, error)
    ledger.emit("payment_intent.payment_failed", intent)


def _refused(ledger: Ledger, intent: JsonObject, method: JsonObject, decline: Decline, key: str | None) -> Answer:
    charge = charges.refuse(ledger, intent, method, decline)
    error = charges.payment_error(decline, charge, method)
    intent["latest_charge"] = charge["id"]
    _back_to_start(ledger, intent, error)
    ledger.emit("charge.failed", charge, idempotency_key=key)
    ledger.emit("payment_intent.payment_failed", intent, idempotency_key=key)
    return Answer(402, {"error": error | {"payment_intent": intent}})


def _back_to_start(ledger: Ledger, intent: JsonObject, error: JsonObject) -> None:
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
    ledger.save(intent)
