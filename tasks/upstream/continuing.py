"""Continues a waiting order after its customer acted: accepted the fresh quote, or gave other payment details.

Each function runs in the caller's transaction, as `tasks.placement` says.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from models import waiting_orders
from models.orders import Order, OrderLine, PricedLine, Quote, Totals
from models.states import AWAITS_PAYMENT, FORWARD, OrderStatus
from tasks.ports import StoredPaymentMethod
from tasks.quotes.ordered_cart import same_cart
from tasks.upstream import granted_requests, payment_details, who_orders
from tasks.upstream.request import RequestRefused, business_time, locked_order, quote_expired


def confirm(session: Session, *, order_id: UUID, quote_id: UUID, now: datetime) -> None:
    """Accept a fresh quote for a waiting order; everything is checked again from the first step.

    The quote's contact is the order's from now on.
    A quote that was accepted for this order before changes nothing, even if the order now waits for another one.
    Raises RequestRefused: unknown-order, not-waiting, unknown-quote, quote-expired, quote-differs (the quote is for another
    cart), quote-used, not-a-billing-contact (the quote's contact may not order; `who_orders.MayNotOrder`).
    """
    now = business_time(now)
    order = locked_order(session, order_id)
    accepted = granted_requests.confirmation_facts(quote_id)
    if granted_requests.was_granted(session, order_id, accepted):
        return
    if order.status is not OrderStatus.AWAITING_CONFIRMATION:
        raise _not_waiting(order, "a confirmation")
    fresh = _acceptable_quote(session, order, quote_id, now)
    by = who_orders.go_on_with(session, order, fresh.contact_id)
    _take_over(session, order, fresh, now)
    waiting = (OrderStatus.AWAITING_CONFIRMATION,)
    waiting_orders.reopen(session, order_id, out_of=waiting, step=FORWARD[0], why="confirmed", facts={**accepted, **by})


def _acceptable_quote(session: Session, order: Order, quote_id: UUID, now: datetime) -> Quote:
    """The quote, with its lines, if the order may go on with it. Raises RequestRefused."""
    fresh = session.scalar(
        select(Quote)
        .where(Quote.id == quote_id, Quote.account_id == order.account_id)
        .options(selectinload(Quote.lines))
    )
    if fresh is None:
        raise RequestRefused("unknown-quote", "There is no such quote for this account; ask for a new one.")
    if fresh.expires_at <= now:
        raise quote_expired("The quote has expired; ask for a new one and confirm that.", fresh.expires_at)
    if not same_cart(order.lines, fresh.lines):
        raise RequestRefused("quote-differs", "The quote is for another cart; confirm one for the same products.")
    used = session.scalar(select(Order.id).where(Order.quote_id == quote_id))
    if used == order.id:
        raise RequestRefused("quote-used", "The order has this quote already; confirm the one that it now waits for.")
    if used is not None:
        raise RequestRefused("quote-used", "This quote is another order's; ask for a new one.", order_id=str(used))
    return fresh


def _take_over(session: Session, order: Order, fresh: Quote, now: datetime) -> None:
    """The order becomes what the fresh quote says, as its next revision.

    The previous quote ends: nothing else would record that it was ordered, and it could be ordered a second time. Until the
    order has ended, its claim on the products prevents that, too.
    """
    replaced = update(Quote).where(Quote.id == order.quote_id, Quote.expires_at > now)
    session.execute(replaced.values(expires_at=now), execution_options={"synchronize_session": False})
    held = {line.position: line.subscription_id for line in order.lines}
    order.lines.clear()
    session.flush()
    order.lines.extend(OrderLine(**_columns(line), subscription_id=held.get(line.position)) for line in fresh.lines)
    for name in Totals.__annotations__:
        setattr(order, name, getattr(fresh, name))
    order.quote_id = fresh.id
    order.proposed_quote_id = None
    order.revision += 1
    order.vat_check_id = None
    order.vat_provisional = False
    session.flush()


def pay_again(
    session: Session,
    *,
    order_id: UUID,
    token: str | None = None,
    stored: StoredPaymentMethod | None = None,
    seen: int | None = None,
    contact_id: UUID | None = None,
) -> None:
    """Try again with the account's new payment method or VAT number, as a new attempt.

    Raises RequestRefused: unknown-order, not-waiting, not-a-billing-contact (`who_orders.MayNotOrder`).

    The order starts again at the first step: a VAT number changes the tax, and other facts may have changed while the order waited.
    token: identifies the payment method that was given for this; None: try the account's details as they are now. Sending the same token
    again changes nothing, unless the order is waiting again, or another contact is named: then it is a new try, or too late for one.
    stored: what `payment_details.store` made of the token. It becomes the account's payment method only if the order goes on with it.
    seen: the newest timeline entry when the request came in. If the same request was granted since then, this one is its duplicate.
    contact_id: the billing contact who orders from now on; None: the one that the order has, while they may.
    """
    order = locked_order(session, order_id)
    twice_at_once = seen is not None and _went_on_with(session, order, token, contact_id, since_event=seen)
    if twice_at_once or not waits_for_payment(session, order, token=token, contact_id=contact_id):
        return
    by = who_orders.go_on_with(session, order, contact_id)
    if stored is not None:
        payment_details.use(session, order.account_id, stored)
    why, given = "payment details given", granted_requests.payment_details_facts(token)
    waiting_orders.reopen(session, order_id, out_of=AWAITS_PAYMENT, step=FORWARD[0], why=why, facts={**given, **by})


def waits_for_payment(session: Session, order: Order, *, token: str | None, contact_id: UUID | None) -> bool:
    """Whether the order waits for payment details; False where it has gone on with these very details, and with this contact if one is named.
    Raises RequestRefused: not-waiting."""
    if order.status in AWAITS_PAYMENT:
        return True
    if _went_on_with(session, order, token, contact_id):
        return False
    raise _not_waiting(order, "payment details")


def _went_on_with(
    session: Session, order: Order, token: str | None, contact_id: UUID | None, *, since_event: int = 0
) -> bool:
    """contact_id: None where the request names nobody. Whoever it names has to be the order's contact: otherwise it is another request."""
    if contact_id not in (None, order.contact_id):
        return False
    given = granted_requests.payment_details_facts(token)
    return granted_requests.was_granted(session, order.id, given, since_event=since_event)


def _not_waiting(order: Order, what: str) -> RequestRefused:
    why = f"The order does not wait for {what}: it is {order.status}."
    return RequestRefused("not-waiting", why, order_status=order.status)


def _columns(line: PricedLine) -> dict[str, object]:
    """A line's columns that quote and order share."""
    return {name: getattr(line, name) for name in PricedLine.__annotations__}
