"""Disputes: a cardholder's bank asks about a charge (an inquiry), or takes its money back (a chargeback), until it decides.

Opened, moved on and closed by the lever `/_control/dispute`; the API retrieves and lists them.
"""

import time

from api_stub.stand_ins.stripe.errors import JsonObject, invalid
from api_stub.stand_ins.stripe.ledger import Ledger, new_id

CLOSED = ("won", "lost", "warning_closed", "prevented")
_INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed")
"""statuses in which the bank has taken nothing"""
_APPEAL = ("appeal_needs_response", "appeal_under_review")
RESOLUTION = "resolution"
"""how a prevented dispute may end: the cardholder has the money (Visa RDR), and no chargeback follows"""
_TO_ANSWER = 7 * 24 * 60 * 60
"""seconds"""


def set_status(
    ledger: Ledger,
    charge: JsonObject,
    status: str,
    *,
    amount: int | None,
    reason: str,
    returned: int = 0,
    prevented_by: str = "block",
) -> JsonObject:
    """Open a dispute of the charge in this status, or move its open one there, with the events that Stripe sends. An appeal opens one that was decided again.

    returned: what the bank gives back of a dispute that is lost. prevented_by: the case type of one that is prevented.
    """
    dispute = _decided(ledger, charge) if status in _APPEAL else _open(ledger, charge)
    opened = dispute is None
    if dispute is None:
        dispute = _add(ledger, charge, amount=amount or charge["amount"], reason=reason)
    case_type = _case_type(status, prevented_by)
    takes = case_type in ("chargeback", RESOLUTION)
    withdraws = takes and not _taken(dispute)
    dispute.update(
        status=status,
        is_charge_refundable=not takes and charge["amount_refunded"] < charge["amount"],
        payment_method_details={"type": "card", "card": {"case_type": case_type}},
    )
    if withdraws:
        _move(dispute, -dispute["amount"])
    returned = _taken(dispute) if status == "won" else returned
    if returned:
        _move(dispute, returned)
    ledger.save(dispute)
    ledger.emit("charge.dispute.created" if opened else "charge.dispute.updated", dispute)
    if withdraws:
        ledger.emit("charge.dispute.funds_withdrawn", dispute)
    if status in CLOSED:
        ledger.emit("charge.dispute.closed", dispute)
    if returned:
        ledger.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    return ledger.named("dispute", identifier, param="dispute")


def require_refundable(ledger: Ledger, charge: JsonObject) -> None:
    """Raises what a refund of a charge is answered that its bank has taken back. Stripe has two codes for that, and says nowhere when it sends which."""
    taken = [each for each in _of(ledger, charge) if not each["is_charge_refundable"] and each["balance_transactions"]]
    if any(dispute["status"] in CLOSED for dispute in taken):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if taken:
        raise invalid("You cannot refund a disputed payment.", code="refund_disputed_payment")


def refunded(ledger: Ledger, charge: JsonObject) -> None:
    """A charge that is all back leaves an inquiry nothing to ask."""
    dispute = _open(ledger, charge)
    if dispute is not None and dispute["status"] in _INQUIRY:
        set_status(ledger, charge, "warning_closed", amount=None, reason=dispute["reason"])


def _of(ledger: Ledger, charge: JsonObject) -> list[JsonObject]:
    return ledger.select("dispute", {"charge": charge["id"]})


def _open(ledger: Ledger, charge: JsonObject) -> JsonObject | None:
    return next((dispute for dispute in _of(ledger, charge) if dispute["status"] not in CLOSED), None)


def _decided(ledger: Ledger, charge: JsonObject) -> JsonObject | None:
    return next((dispute for dispute in _of(ledger, charge) if dispute["status"] in ("won", "lost")), None)


def _case_type(status: str, prevented_by: str) -> str:
    if status == "prevented":
        return prevented_by
    return "inquiry" if status in _INQUIRY else "chargeback"


def _taken(dispute: JsonObject) -> int:
    balance: int = sum(moved["amount"] for moved in dispute["balance_transactions"])
    return -balance


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


def _move(dispute: JsonObject, amount: int) -> None:
    """Out of the merchant's balance, or back into it."""
    dispute["balance_transactions"] = [*dispute["balance_transactions"], {
        "id": new_id("txn"), "object": "balance_transaction", "amount": amount, "currency": dispute["currency"],
        "source": dispute["id"], "type": "adjustment",
    }]  # fmt: skip
