"""Payment methods: attach, detach, retrieve, list of a customer. Made from Stripe's test tokens, never from card numbers.

As at Stripe each use of a token such as `pm_card_visa` makes a new payment method.
"""

from typing import Any

from api_stub.stand_ins.stripe import customers
from api_stub.stand_ins.stripe.cards import CARDS, Card
from api_stub.stand_ins.stripe.errors import Answer, JsonObject, error_body, invalid, missing
from api_stub.stand_ins.stripe.ledger import Ledger, new_id


def make(ledger: Ledger, token: str) -> JsonObject:
    card = CARDS[token]
    details = {
        "brand": card.brand, "display_brand": card.brand, "last4": card.last4, "exp_month": 12, "exp_year": 2034,
        "country": card.country, "funding": card.funding, "fingerprint": f"fp{card.brand}{card.last4}",
        "networks": {"available": [card.brand], "preferred": None}, "three_d_secure_usage": {"supported": True},
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None}, "wallet": None,
    }  # fmt: skip
    if card.type != "card":
        details = {"last4": card.last4}
    billing = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
    method = {
        "id": new_id("pm"), "object": "payment_method", "type": card.type, "livemode": False, "customer": None, "metadata": {},
        "allow_redisplay": "unspecified", "billing_details": billing, card.type: details,
    }  # fmt: skip
    return ledger.add(method, token=token)


USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account"
    " without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times,"
    " you must attach it to a Customer first."
)
"""for a payment; Stripe gives it neither `code` nor `param`"""
NOT_AGAIN = (
    "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used"
    " again."
)


def card_of(ledger: Ledger, method: JsonObject) -> Card:
    return CARDS[ledger.token_of(method["id"])]


def named(ledger: Ledger, identifier: str, *, in_path: bool = False) -> JsonObject:
    """An existing payment method, or a new one where `identifier` is a test token. One that exists and has no customer was used without one, or detached."""
    if identifier in CARDS:
        return make(ledger, identifier)
    method = ledger.find("payment_method", identifier)
    if method is None:
        raise missing("PaymentMethod", identifier, param="payment_method", in_path=in_path)
    return method


def attach(ledger: Ledger, identifier: str, params: dict[str, Any], key: str | None) -> JsonObject | Answer:
    if "customer" not in params:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = customers.referenced(ledger, params["customer"])
    method = named(ledger, identifier, in_path=True)
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is None and identifier not in CARDS:
        raise invalid(NOT_AGAIN)
    if method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.")
    card = card_of(ledger, method)
    if not card.attaches and card.decline is not None:
        decline = card.decline
        return Answer(
            402, error_body("card_error", decline.message, code=decline.code, decline_code=decline.decline_code)
        )
    method["customer"] = customer["id"]
    ledger.save(method)
    ledger.emit("payment_method.attached", method, idempotency_key=key)
    return method


def detach(ledger: Ledger, identifier: str, key: str | None) -> JsonObject:
    method = retrieve(ledger, identifier)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    method["customer"] = None
    ledger.save(method)
    ledger.emit("payment_method.detached", method, idempotency_key=key)
    return method


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    return ledger.named("payment_method", identifier, param="payment_method", called="PaymentMethod")
