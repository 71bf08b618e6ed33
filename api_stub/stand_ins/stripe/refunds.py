"""Refunds: create (never more than was taken), retrieve, list; and how the bank settles them later."""

from typing import Any

from api_stub.stand_ins.stripe import disputes
from api_stub.stand_ins.stripe.cards import CARDS
from api_stub.stand_ins.stripe.currencies import display
from api_stub.stand_ins.stripe.errors import JsonObject, invalid, malformed, missing
from api_stub.stand_ins.stripe.ledger import Ledger, new_id

COVERED = frozenset({"amount", "charge", "payment_intent", "metadata", "reason"})
UNFUNDED = "insufficient_funds"
FUNDS = "funds"
"""the setting that is empty while the account's balance is enough for refunds"""


def check_create(params: dict[str, Any]) -> None:
    if ("charge" in params) == ("payment_intent" in params):
        raise malformed("One of the following params should be provided for this request: payment_intent or charge.")
    if params.get("amount", 1) < 1:
        raise malformed(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )


def create(ledger: Ledger, params: dict[str, Any], key: str | None) -> JsonObject:
    charge = _charge(ledger, params)
    disputes.require_refundable(ledger, charge)
    remaining = charge["amount"] - charge["amount_refunded"]
    if remaining == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = params.get("amount", remaining)
    if amount > remaining:
        currency = charge["currency"]
        message = f"Refund amount ({display(amount, currency)}) is greater than unrefunded amount on charge ({display(remaining, currency)})"
        raise invalid(message, param="amount")
    behaviour = CARDS[ledger.token_of(charge["payment_method"])].refund
    pending_reason = _pending_reason(ledger, behaviour)
    refund = ledger.add({
        "id": new_id("re"), "object": "refund", "amount": amount, "charge": charge["id"], "currency": charge["currency"],
        "payment_intent": charge["payment_intent"], "metadata": params.get("metadata") or {}, "reason": params.get("reason"),
        "status": "pending" if pending_reason else "succeeded", "pending_reason": pending_reason,
    })  # fmt: skip
    if behaviour != "succeeded" and pending_reason != UNFUNDED:
        ledger.plan(behaviour, refund["id"])
    _set_refunded(ledger, charge, charge["amount_refunded"] + amount)
    ledger.emit("refund.created", refund, idempotency_key=key)
    ledger.emit("charge.refunded", charge, idempotency_key=key)
    if charge["refunded"]:
        disputes.refunded(ledger, charge)
    return refund


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    return ledger.named("refund", identifier, param="refund")


def set_funds(ledger: Ledger, *, enough: bool) -> None:
    """Whether the account's balance is enough for refunds from now on; those that wait for it are then sent."""
    ledger.set(FUNDS, "" if enough else "too little")
    if not enough:
        return
    for refund in ledger.select("refund", {}, newest_first=False):
        if refund.get("pending_reason") == UNFUNDED and refund["status"] == "pending":
            _send(ledger, refund)


def _send(ledger: Ledger, refund: JsonObject) -> None:
    charge = ledger.find("charge", refund["charge"])
    behaviour = CARDS[ledger.token_of(charge["payment_method"])].refund if charge is not None else "succeeded"
    pending_reason = _pending_reason(ledger, behaviour)
    refund.update(status="pending" if pending_reason else "succeeded", pending_reason=pending_reason)
    ledger.save(refund)
    if behaviour != "succeeded":
        ledger.plan(behaviour, refund["id"])
    ledger.emit("refund.updated", refund)


def _pending_reason(ledger: Ledger, behaviour: str) -> str | None:
    """Why a refund would not arrive at once; None: it does."""
    if ledger.setting(FUNDS):
        return UNFUNDED
    return "processing" if behaviour == "pending_then_succeeded" else None


def settle(ledger: Ledger, identifier: str, behaviour: str) -> None:
    """The bank's last word: a pending refund arrives, a failing one comes back and frees its amount again."""
    refund = retrieve(ledger, identifier)
    if behaviour == "pending_then_succeeded":
        refund.update(status="succeeded", pending_reason=None)
        ledger.save(refund)
        ledger.emit("refund.updated", refund)
        return
    refund.update(status="failed", failure_reason="expired_or_canceled_card")
    ledger.save(refund)
    charge = ledger.find("charge", refund["charge"])
    if charge is not None:
        _set_refunded(ledger, charge, charge["amount_refunded"] - refund["amount"])
    ledger.emit("refund.failed", refund)


def _charge(ledger: Ledger, params: dict[str, Any]) -> JsonObject:
    if "charge" in params:
        charge = ledger.find("charge", params["charge"])
        if charge is None:
            raise missing("charge", params["charge"], param="charge")
        return _taken(charge, f"Charge {charge['id']} did not succeed, it cannot be refunded.")
    intent = ledger.find("payment_intent", params["payment_intent"])
    if intent is None:
        raise missing("payment_intent", params["payment_intent"], param="payment_intent")
    latest = ledger.find("charge", intent["latest_charge"] or "")
    return _taken(latest, f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")


def _taken(charge: JsonObject | None, message: str) -> JsonObject:
    if charge is None or charge["status"] != "succeeded":
        raise invalid(message, param="charge")
    return charge


def _set_refunded(ledger: Ledger, charge: JsonObject, amount: int) -> None:
    charge.update(amount_refunded=amount, refunded=amount == charge["amount"])
    ledger.save(charge)
