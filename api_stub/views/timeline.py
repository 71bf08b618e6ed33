"""The order's timeline in words. Of an event's facts only those listed here go out: errors and addresses stay inside."""

from collections.abc import Mapping
from typing import Any

from api_stub.schemas.orders import EventView
from models.orders import OrderEvent

_SHOWN = frozenset(
    {
        "amount_minor", "attempt", "charged_minor", "decline_code", "differs", "due_minor", "invoiced_minor", "kind",
        "net_minor", "quote_id", "quoted_due_minor", "quoted_total_minor", "reason", "refunded_minor", "restart", "seconds",
        "step", "total_minor", "unassigned",
    }
)  # fmt: skip

_TEXT = {
    "order.placed": "The order was placed.",
    "validate_cart.done": "The cart was checked.",
    "compute_proration.done": "The amount was checked against the quote.",
    "vat.valid": "The VAT registry confirmed the VAT number.",
    "vat.invalid": "The VAT registry does not know the VAT number.",
    "vat.unavailable": "The VAT registry did not answer.",
    "vat.followed_up": "The VAT registry has answered.",
    "vat.credit_withheld": "VAT that is not due is not credited while the payment is disputed.",
    "invoice.paid": "An invoice was paid.",
    "invoice.unpaid": "A payment of an invoice was withdrawn.",
    "charge.attempted": "The payment was requested.",
    "collect_payment.done": "The payment is settled.",
    "collect_payment.turned_back": "The order cannot continue; what was charged will be refunded.",
    "activation.failed": "What was ordered can no longer be provided.",
    "activate_subscription.done": "The subscription is active.",
    "activate_subscription.turned_back": "The order cannot continue; what was charged will be refunded.",
    "send_confirmation_email.done": "The confirmation is on its way.",
    "letter.sent": "An email was sent.",
    "letter.send_again": "An email is sent once more.",
    "letter.not_sent": "An email could not be sent now.",
    "letter.unanswered": "An email was sent; whether it was accepted is not known yet.",
    "letter.undeliverable": "An email could not be delivered.",
    "refund.requested": "A refund was requested.",
    "refund.attempted": "The refund was requested from the payment provider.",
    "refund.awaiting_funds": "The refund was accepted; the payment provider will send it later.",
    "refund.failed": "The refund failed; a person is looking into it.",
    "refund.refused": "A refund is not possible in the usual way; a person is looking into it.",
    "refund.elsewhere": "Money was refunded outside this order.",
    "refund.elsewhere_failed": "A refund made outside this order did not arrive.",
    "refund.settled_outside": "What was charged was refunded in another way.",
    "charge.disputed": "The payment was disputed.",
    "dispute.closed": "The dispute of the payment is closed.",
    "charge.unexpected": "A payment that this order has no use for was found.",
    "charge.unknown": "A payment was found that is not known to this order; a person is looking into it.",
    "refund_payment.done": "The refund is on its way.",
    "send_refund_notice.refund_failed": "The refund failed; a person is looking into it.",
    "order.cancel_requested": "The order is to be cancelled.",
    "order.reopened": "The order goes on.",
    "order.restarted": "The order was restarted.",
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
