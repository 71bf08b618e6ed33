"""Disputes: a cardholder's bank asks about a charge (an inquiry), or takes its money back (a chargeback), until it decides.

Opened, moved on and closed by the lever `/_control/dispute`; the API retrieves and lists them.
"""

import time
from typing import Any

from api_stub.stand_ins.stripe.errors import JsonObject, invalid, missing
from api_stub.stand_ins.stripe.ledger import Ledger, new_id

CLOSED = ("won", "lost", "warning_closed", "prevented")
_INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed", "prevented")
"""statuses in which the bank has taken nothing"""
_TO_ANSWER = 7 * 24 * 60 * 60
"""seconds"""


def set_status(ledger: Ledger, charge: JsonObject, status: str, *, amount: int | None, reason: str) -> JsonObject:
    """Open a dispute of the charge in this status, or move its open one there, with the events that Stripe sends."""
    dispute = _open(ledger, charge)
    opened = dispute is None
    if dispute is None:
        dispute = _add(ledger, charge, amount=amount or charge["amount"], reason=reason)
    withdrawn = bool(dispute["balance_transactions"])
    closed = status in CLOSED
    dispute.update(
        status=status, is_charge_refundable=status in _INQUIRY and charge["amount_refunded"] < charge["amount"]
    )
    if not withdrawn and status not in _INQUIRY:
        dispute["balance_transactions"] = [_moved(dispute, -dispute["amount"])]
    if status == "won":
        dispute["balance_transactions"] = [*dispute["balance_transactions"], _moved(dispute, dispute["amount"])]
    ledger.save(dispute)
    ledger.emit("charge.dispute.created" if opened else "charge.dispute.updated", dispute)
    if not withdrawn and status not in _INQUIRY:
        ledger.emit("charge.dispute.funds_withdrawn", dispute)
    if closed:
        ledger.emit("charge.dispute.closed", dispute)
    if status == "won":
        ledger.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    dispute = ledger.find("dispute", identifier)
    if dispute is None:
        raise missing("dispute", identifier, param="dispute", in_path=True)
    return dispute


def require_refundable(ledger: Ledger, charge: JsonObject) -> None:
    """Raises what a refund of a charge is answered that its bank has taken back."""
    if any(not dispute["is_charge_refundable"] and dispute["balance_transactions"] for dispute in _of(ledger, charge)):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")


def refunded(ledger: Ledger, charge: JsonObject) -> None:
    """A charge that is all back leaves an inquiry nothing to ask."""
    dispute = _open(ledger, charge)
    if dispute is not None and dispute["status"] in _INQUIRY:
        set_status(ledger, charge, "warning_closed", amount=None, reason=dispute["reason"])


def _of(ledger: Ledger, charge: JsonObject) -> list[JsonObject]:
    return ledger.select("dispute", {"charge": charge["id"]})


def _open(ledger: Ledger, charge: JsonObject) -> JsonObject | None:
    return next((dispute for dispute in _of(ledger, charge) if dispute["status"] not in CLOSED), None)


def _add(ledger: Ledger, charge: JsonObject, *, amount: int, reason: str) -> JsonObject:
    charge["disputed"] = True
    ledger.save(charge)
    due_by = int(time.time()) + _TO_ANSWER
    return ledger.add({
        "id": new_id("du"), "object": "dispute", "livemode": False, "amount": amount, "currency": charge["currency"],
        "charge": charge["id"], "payment_intent": charge["payment_intent"], "balance_transactions": [], "metadata": {},
        "reason": reason, "status": "warning_needs_response", "is_charge_refundable": True, "network_reason_code": None,
        "evidence": {}, "enhanced_eligibility_types": [],
        "evidence_details": {"due_by": due_by, "has_evidence": False, "past_due": False, "submission_count": 0},
    })  # fmt: skip


def _moved(dispute: JsonObject, amount: int) -> dict[str, Any]:
    return {
        "id": new_id("txn"), "object": "balance_transaction", "amount": amount, "currency": dispute["currency"],
        "source": dispute["id"], "type": "adjustment",
    }  # fmt: skip
