"""PaymentIntents: create (and confirm at once), confirm, retrieve, cancel, list. Captured automatically."""

import time
from typing import Any

from api_stub.stand_ins.stripe import customers, payment_methods
from api_stub.stand_ins.stripe.confirmation import Confirmation, confirm_with
from api_stub.stand_ins.stripe.currencies import check_amount
from api_stub.stand_ins.stripe.errors import Answer, JsonObject, invalid, malformed
from api_stub.stand_ins.stripe.ledger import Ledger, new_id

COVERED = frozenset({
    "amount", "currency", "customer", "payment_method", "confirm", "off_session", "metadata", "automatic_payment_methods",
    "allowed_payment_method_types", "description", "return_url", "setup_future_usage", "receipt_email", "use_stripe_sdk",
    "error_on_requires_action", "statement_descriptor", "statement_descriptor_suffix",
})  # fmt: skip
ON_CONFIRM = frozenset(
    {"payment_method", "off_session", "return_url", "use_stripe_sdk", "error_on_requires_action", "setup_future_usage"}
)
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
NEEDS_CONFIRM = ("off_session", "return_url", "error_on_requires_action")


def check_create(params: dict[str, Any]) -> None:
    check_amount(params["amount"], params["currency"])
    if "automatic_payment_methods" in params and "allowed_payment_method_types" in params:
        raise malformed("You may only set one of automatic_payment_methods and allowed_payment_method_types.")
    if "card" not in params.get("allowed_payment_method_types", ["card"]):
        raise malformed("This stand-in takes cards only.", param="allowed_payment_method_types")
    if not params.get("confirm"):
        for name in NEEDS_CONFIRM:
            if name in params:
                raise malformed(f"`{name}` can only be set when `confirm` is `true`.", param=name)
    elif redirects(params) and "return_url" not in params:
        raise malformed(RETURN_URL_NEEDED)


def redirects(params: dict[str, Any]) -> bool:
    """Whether methods that leave the page may be used: the default, unless only cards are named or redirects ruled out."""
    automatic = params.get("automatic_payment_methods", {"enabled": "allowed_payment_method_types" not in params})
    return bool(automatic["enabled"]) and automatic.get("allow_redirects", "always") != "never"


RETURN_URL_NEEDED = (
    "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment"
    " methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept"
    " redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and"
    " `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)


def create(
    ledger: Ledger, params: dict[str, Any], key: str | None, base_url: str, *, begun: str | None
) -> JsonObject | Answer:
    """begun: the id of the intent, where it is made already."""
    intent = make(ledger, params, key) if begun is None else retrieve(ledger, begun)
    if not params.get("confirm"):
        return intent
    if "payment_method" not in params:
        raise invalid(NO_METHOD, code="payment_intent_unexpected_state", payment_intent=intent)
    method = _usable_method(ledger, params["payment_method"], intent["customer"])
    return confirm_with(ledger, intent, method, Confirmation.of(params), key, base_url)


def make(ledger: Ledger, params: dict[str, Any], key: str | None) -> JsonObject:
    """The intent as it is before anything is tried. If it is to be confirmed at once, it has no payment method until that has been done."""
    if customer := params.get("customer"):
        customers.referenced(ledger, customer)
    identifier = new_id("pi")
    method = _usable_method(ledger, params["payment_method"], customer) if "payment_method" in params else None
    if params.get("confirm"):
        method = None
    intent = ledger.add({
        "id": identifier, "object": "payment_intent", "livemode": False, "amount": params["amount"], "currency": params["currency"],
        "amount_capturable": 0, "amount_received": 0, "canceled_at": None, "cancellation_reason": None,
        "capture_method": "automatic_async", "confirmation_method": "automatic", "customer": customer,
        "client_secret": f"{identifier}_secret_{new_id('x')[2:]}", "description": params.get("description"),
        "last_payment_error": None, "latest_charge": None, "metadata": params.get("metadata") or {}, "next_action": None,
        "automatic_payment_methods": _automatic(params), "payment_method": method and method["id"], "payment_method_types": ["card"],
        "receipt_email": params.get("receipt_email"), "setup_future_usage": params.get("setup_future_usage"),
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method" if method is None else "requires_confirmation",
    })  # fmt: skip
    ledger.emit("payment_intent.created", intent, idempotency_key=key)
    return intent


NO_METHOD = "You cannot confirm this PaymentIntent because it's missing a payment method."


def _automatic(params: dict[str, Any]) -> JsonObject | None:
    if "allowed_payment_method_types" in params:
        return None
    given: JsonObject = params.get("automatic_payment_methods", {})
    return {"allow_redirects": "always", "enabled": True} | given


def confirm(
    ledger: Ledger, identifier: str, params: dict[str, Any], key: str | None, base_url: str
) -> JsonObject | Answer:
    intent = retrieve(ledger, identifier)
    if intent["status"] not in CONFIRMABLE:
        raise unexpected(intent, "confirm", "confirmed", CONFIRMABLE)
    chosen = params.get("payment_method", intent["payment_method"])
    if chosen is None:
        raise invalid(NO_METHOD, code="payment_intent_unexpected_state", payment_intent=intent)
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and "return_url" not in params:
        raise invalid(RETURN_URL_NEEDED, payment_intent=intent)
    method = _usable_method(ledger, chosen, intent["customer"], own=intent["payment_method"])
    intent["setup_future_usage"] = params.get("setup_future_usage", intent["setup_future_usage"])
    return confirm_with(ledger, intent, method, Confirmation.of(params), key, base_url)


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    return ledger.named("payment_intent", identifier, param="intent")


def with_charge(ledger: Ledger, intent: JsonObject) -> JsonObject:
    """The intent with its latest charge itself in place of the charge's id, as `expand` asks for."""
    return intent | {"latest_charge": ledger.find("charge", intent["latest_charge"] or "")}


def cancel(ledger: Ledger, identifier: str, params: dict[str, Any], key: str | None) -> JsonObject:
    intent = retrieve(ledger, identifier)
    if intent["status"] not in CANCELABLE:
        raise unexpected(intent, "cancel", "canceled", CANCELABLE)
    reason = params.get("cancellation_reason")
    intent.update(status="canceled", canceled_at=int(time.time()), cancellation_reason=reason, next_action=None)
    ledger.save(intent)
    ledger.emit("payment_intent.canceled", intent, idempotency_key=key)
    return intent


def unexpected(intent: JsonObject, verb: str, participle: str, allowed: tuple[str, ...]) -> Exception:
    message = (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent with one of"
        f" the following statuses may be {participle}: {', '.join(allowed)}."
    )
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=intent)


def _usable_method(ledger: Ledger, identifier: str, customer: str | None, own: str | None = None) -> JsonObject:
    """own: the method that the intent has already."""
    method = payment_methods.named(ledger, identifier)
    owner = method["customer"]
    if owner is None and identifier != own and identifier == method["id"]:
        raise invalid(payment_methods.USED_UP)
    if method["type"] != "card":
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. Please attach a PaymentMethod of one"
            " of the following types: card.",
            code="payment_intent_invalid_parameter",
            param="payment_method",
        )
    if owner is not None and customer is None:
        raise invalid(
            f"The PaymentMethod {identifier} belongs to the Customer {owner}. Please include the Customer in the `customer`"
            " parameter on the PaymentIntent.",
            param="payment_method",
        )
    if owner is not None and owner != customer:
        raise invalid(
            f"The customer does not have a payment method with the ID {identifier}. The payment method must be attached to"
            " the customer.",
            code="resource_missing",
            param="payment_method",
        )
    return method
