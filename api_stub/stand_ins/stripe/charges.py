"""One try at a card: a charge that succeeded or failed, and the error a refused one is answered with."""

from api_stub.stand_ins.stripe.cards import Decline
from api_stub.stand_ins.stripe.errors import JsonObject, error_body
from api_stub.stand_ins.stripe.ledger import Ledger, new_id


def take(ledger: Ledger, intent: JsonObject, method: JsonObject) -> JsonObject:
    return _record(ledger, intent, method, None)


def refuse(ledger: Ledger, intent: JsonObject, method: JsonObject, decline: Decline) -> JsonObject:
    return _record(ledger, intent, method, decline)


def _record(ledger: Ledger, intent: JsonObject, method: JsonObject, decline: Decline | None) -> JsonObject:
    taken = decline is None
    return ledger.add({
        "id": new_id("ch"), "object": "charge", "livemode": False, "amount": intent["amount"], "currency": intent["currency"],
        "amount_captured": intent["amount"] if taken else 0, "amount_refunded": 0, "captured": taken, "paid": taken,
        "refunded": False, "disputed": False, "status": "succeeded" if taken else "failed", "customer": intent["customer"],
        "payment_intent": intent["id"], "payment_method": method["id"], "description": intent["description"],
        "metadata": intent["metadata"], "failure_code": None if decline is None else decline.code,
        "failure_message": None if decline is None else decline.message,
        "outcome": {"type": "authorized" if taken else "issuer_declined", "reason": None if decline is None else decline.decline_code},
    })  # fmt: skip


def payment_error(decline: Decline, charge: JsonObject | None, method: JsonObject) -> JsonObject:
    """`last_payment_error` of the intent, and the body's `error` without the intent itself."""
    error: JsonObject = error_body(
        "card_error",
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code or None,
        charge=None if charge is None else charge["id"],
        payment_method=method,
    )["error"]
    return error
