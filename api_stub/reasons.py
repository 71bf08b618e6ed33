"""Why an order waits or ended so, and what its customer can do, in words."""

from typing import Any

from api_stub import refusals
from api_stub.schemas.orders import NextStep, Reason
from api_stub.schemas.quotes import QuoteView
from models.orders import Order
from models.rules.cart import RefusalCode
from models.states import OrderStatus

_TEXT = {
    "payment-details-missing": "A payment method is needed before the order can go on.",
    "vat-number-invalid": "The account's VAT number is not a valid one; correct or remove it.",
    "amount-differs": "The amount is no longer the one that was quoted; nothing was charged.",
    "cancelled-by-customer": "The order was cancelled on request.",
    "customer-did-not-answer": "The order waited too long for an answer and was cancelled; nothing was charged.",
    "needs-attention": "Something unexpected happened; we are looking after it. There is nothing you need to do.",
    "refunded-by-support": "Support gave back what was charged.",
    "subscription-changed": "The subscription was changed in the meantime, so the order could not be carried out.",
    "subscription-ended": "The subscription ended in the meantime, so the order could not be carried out.",
}

_DECLINED = {
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is wrong.",
    "incorrect_number": "The card's number is wrong.",
    "card_velocity_exceeded": "The card's limit is exceeded.",
    "currency_not_supported": "The card does not support the currency.",
    "authentication_required": "The card's bank asks for authentication.",
    "payment_intent_authentication_failure": "The payment was not authenticated.",
}
"""What a customer may be told; for the rest (a card reported stolen, say) the bank asks that nothing more be said."""


def reason_of(order: Order) -> Reason | None:
    if order.reason is None:
        return None
    return Reason(code=order.reason, text=_text(order.reason, order.reason_facts or {}))


def next_step(order: Order, fresh: QuoteView | None) -> NextStep | None:
    """What only the customer can do now; None where there is nothing."""
    match order.status:
        case OrderStatus.AWAITING_AUTHENTICATION:
            url = (order.reason_facts or {}).get("action_url")
            return NextStep(action="authenticate", text="Please authenticate the payment with your bank.", url=url)
        case OrderStatus.AWAITING_CONFIRMATION:
            return NextStep(action="confirm_quote", text="Please look at the new quote and accept it.", quote=fresh)
        case OrderStatus.AWAITING_PAYMENT_DETAILS if order.reason == "vat-number-invalid":
            return NextStep(action="correct_vat_number", text="Please correct or remove the account's VAT number.")
        case OrderStatus.AWAITING_PAYMENT_DETAILS:
            return NextStep(action="give_payment_method", text="Please give a payment method.")
        case OrderStatus.PAYMENT_DECLINED:
            return NextStep(action="give_payment_method", text="Please give another payment method.")
    return None


def _text(code: str, facts: dict[str, Any]) -> str:
    if code == "payment-declined":
        told = _DECLINED.get(str(facts.get("decline_code")), "The card was declined by its bank.")
        return f"{told} Nothing was charged."
    if code in _TEXT:
        return _TEXT[code]
    if code in tuple(RefusalCode):
        first: dict[str, Any] = next(iter(facts.get("refusals", ())), {})
        return refusals.detail(RefusalCode(code), first)
    return code.replace("-", " ").capitalize() + "."
