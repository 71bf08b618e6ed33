"""The order's timeline in words. Of an event's facts only those listed here go out: errors and addresses stay inside."""

from collections.abc import Mapping
from typing import Any

from api_stub.schemas.orders import EventView
from models.orders import OrderEvent
from models.timeline_kinds import Kind

_SHOWN = frozenset(
    {
        "amount_minor", "answer", "attempt", "charged_minor", "contact_id", "decline_code", "differs", "due_minor", "from_contact_id",
        "invoiced_minor", "kind", "net_minor", "outcome", "quote_id", "quoted_due_minor", "quoted_total_minor", "reason", "refunded_minor", "restart", "seconds",
        "step", "total_minor", "unassigned",
    }
)  # fmt: skip

_TEXT = {
    Kind.ORDER_PLACED: "The order was placed.",
    "validate_cart.done": "The cart was checked.",
    "compute_proration.done": "The amount was checked against the quote.",
    "vat.valid": "The VAT registry confirmed the VAT number.",
    "vat.invalid": "The VAT registry does not know the VAT number.",
    "vat.unavailable": "The VAT registry did not answer.",
    Kind.VAT_FOLLOWED_UP: "The VAT registry has answered.",
    Kind.VAT_CREDIT_WITHHELD: "VAT that is not due is not credited while the payment is disputed.",
    Kind.VAT_TAKEN_OFF: "VAT that is not due is not credited by later changes; a person is looking into it.",
    Kind.INVOICE_PAID: "An invoice was paid.",
    Kind.INVOICE_UNPAID: "A payment of an invoice was withdrawn.",
    Kind.CHARGE_ATTEMPTED: "The payment was requested.",
    "collect_payment.done": "The payment is settled.",
    "collect_payment.turned_back": "The order cannot continue; what was charged will be refunded.",
    Kind.ACTIVATION_FAILED: "What was ordered can no longer be provided.",
    "activate_subscription.done": "The subscription is active.",
    "activate_subscription.turned_back": "The order cannot continue; what was charged will be refunded.",
    "send_confirmation_email.done": "The confirmation is on its way.",
    "letter.sent": "An email was sent.",
    Kind.LETTER_SEND_AGAIN: "An email is sent once more.",
    Kind.LETTER_NOT_SENT: "An email could not be sent now.",
    Kind.LETTER_UNANSWERED: "An email was sent; whether it was accepted is not known yet.",
    "letter.undeliverable": "An email could not be delivered.",
    Kind.REFUND_REQUESTED: "A refund was requested.",
    Kind.REFUND_ATTEMPTED: "The refund was requested from the payment provider.",
    Kind.REFUND_AWAITING_FUNDS: "The refund was accepted; the payment provider will send it later.",
    Kind.REFUND_FAILED: "The refund failed; a person is looking into it.",
    Kind.REFUND_REFUSED: "A refund is not possible in the usual way; a person is looking into it.",
    Kind.REFUND_ELSEWHERE: "Money was refunded outside this order.",
    Kind.REFUND_ELSEWHERE_FAILED: "A refund made outside this order did not arrive.",
    Kind.REFUND_UNKNOWN: "A refund was found that is not known to this order; a person is looking into it.",
    Kind.REFUND_UNKNOWN_FAILED: "A refund that is not known to this order did not arrive.",
    Kind.REFUND_SETTLED_OUTSIDE: "What was charged was refunded in another way.",
    Kind.CHARGE_DISPUTED: "The payment was disputed.",
    Kind.DISPUTE_CLOSED: "The dispute of the payment is closed.",
    Kind.DISPUTE_SETTLED: "The dispute of the payment is settled.",
    Kind.CHARGE_UNEXPECTED: "A payment that this order has no use for was found.",
    Kind.CHARGE_UNKNOWN: "A payment was found that is not known to this order; a person is looking into it.",
    "refund_payment.done": "The refund is on its way.",
    "send_refund_notice.refund_failed": "The refund failed; a person is looking into it.",
    Kind.ORDER_CANCEL_REQUESTED: "The order is to be cancelled.",
    Kind.ORDER_REOPENED: "The order goes on.",
    Kind.ORDER_RESTARTED: "The order was restarted.",
    "order.awaiting_payment_details": "The order waits for payment details.",
    "order.payment_declined": "The payment was declined.",
    "order.awaiting_authentication": "The order waits for the customer to authenticate the payment.",
    "order.awaiting_confirmation": "The order is no longer as quoted; it waits for confirmation.",
    "order.needs_attention": "A person is looking into the order.",
    "order.completed": "The order is completed.",
    "order.rejected": "The order was rejected.",
    "order.cancelled": "The order was cancelled.",
    "order.refunded": "The order was refunded.",
}


def event_view(event: OrderEvent) -> EventView:
    return EventView(id=event.id, at=event.at, kind=event.kind, text=text(event.kind), facts=shown(event.facts))


def text(kind: str) -> str:
    if kind.endswith(".postponed"):
        return "This step did not succeed and will be tried again."
    return _TEXT.get(kind) or kind.replace("_", " ").replace(".", ": ").capitalize() + "."


def shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name in _SHOWN and value is not None}
