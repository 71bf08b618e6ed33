"""Why an order waits or ended so, and what its customer can do, in the order's language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api_stub.schemas.orders import Alternative, NextStep, Reason
from api_stub.schemas.quotes import QuoteView
from models.invoices import Invoice, Receivable
from models.orders import Order
from models.states import AttemptStatus, OrderStatus
from tasks import display_names
from tasks.charges import charge_attempts
from tasks.charges.authentication_time import authenticate_until
from tasks.letters.corrected_vat import still_owed
from tasks.letters.reasons import Instead
from tasks.letters.status_texts import GIVEN_BACK, status_text
from tasks.refunds import refunded
from tasks.upstream import declines
from tasks.wiring import policy

_ALTERNATIVES: Final[Mapping[Instead, Alternative]] = {
    Instead.GIVE_NUMBER: "give_vat_number",
    Instead.CORRECT_MALFORMED: "correct_vat_number",
    Instead.CORRECT_UNKNOWN: "correct_vat_number",
    Instead.BE_INVOICED: "be_invoiced",
}


def where_it_stands(
    session: Session, order: Order, owed: tuple[Invoice, Receivable] | None, instead: Instead | None
) -> str:
    """Where the order stands, in a sentence or two, and what is still owed once it is complete. The order's lines must be loaded.

    instead: of `number_instead`.
    """
    stands = status_text(
        order,
        seller=policy().seller,
        names=display_names.of_lines(session, order.lines),
        refund_failed=order.status is OrderStatus.NEEDS_ATTENTION and refunded.has_failed(session, order),
        given_back=order.status in GIVEN_BACK and refunded.anything_given_back(session, order),
        instead=instead,
    )
    return f"{stands} {still_owed(*owed)}" if owed is not None and order.status is OrderStatus.COMPLETED else stands


def reason_of(order: Order, text: str) -> Reason | None:
    return Reason(code=order.reason, text=text) if order.reason is not None else None


def waits_until(session: Session, order: Order) -> datetime | None:
    """When the order is cancelled if its customer does nothing; None where it does not lapse."""
    match order.status:
        case OrderStatus.AWAITING_PAYMENT_DETAILS | OrderStatus.PAYMENT_DECLINED | OrderStatus.AWAITING_CONFIRMATION:
            return order.wake_at  # the sweep looks at such an order once, to end it
        case OrderStatus.AWAITING_AUTHENTICATION:
            attempt = charge_attempts.live(session, order.id)
            if attempt is not None and attempt.status is AttemptStatus.REQUIRES_ACTION:
                return authenticate_until(attempt)
    return None


def next_step(
    session: Session, order: Order, text: str, fresh: QuoteView | None, instead: Instead | None
) -> NextStep | None:
    """What only the customer can do now; None where there is nothing."""
    match order.status:
        case OrderStatus.AWAITING_AUTHENTICATION:
            url = (order.reason_facts or {}).get("action_url")
            return NextStep(action="authenticate", text=text, url=url)
        case OrderStatus.AWAITING_CONFIRMATION:
            return NextStep(action="confirm_quote", text=text, quote=fresh)
        case OrderStatus.AWAITING_PAYMENT_DETAILS if order.reason == "vat-number-invalid":
            return NextStep(action="correct_vat_number", text=text)
        case OrderStatus.AWAITING_PAYMENT_DETAILS | OrderStatus.PAYMENT_DECLINED:
            alternatives = [_ALTERNATIVES[instead]] if instead is not None else []
            retry_at = declines.none_until(session, order.account_id)
            return NextStep(action="give_payment_method", text=text, alternatives=alternatives, retry_at=retry_at)
    return None
