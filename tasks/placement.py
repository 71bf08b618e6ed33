"""What an upstream layer calls, over HTTP or in Python: quote, place, confirm, pay again, cancel.

Confirming and paying again are in `tasks.upstream.continuing`, cancelling in `tasks.upstream.cancelling`; import all of them from here.
Each runs in the caller's transaction; when that commits, `worker.relay` publishes what was put into the outbox.

`now` is an aware datetime in any zone, truncated to whole seconds (but for `cancel`). A naive one is refused (NaiveDatetime).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import placing
from models.orders import Order, OrderedProduct, OrderEvent, Quote
from models.placing import PlacedOrder, ProductsTaken
from models.rules.cart import CartLine
from models.timeline_kinds import Kind
from tasks.policy import Policy
from tasks.quotes import quoting, taking_effect
from tasks.quotes.support_case import open_cases
from tasks.upstream.cancelling import cancel
from tasks.upstream.continuing import confirm, pay_again
from tasks.upstream.request import RequestRefused, business_time, quote_expired

__all__ = ["Placed", "RequestRefused", "cancel", "confirm", "pay_again", "place", "quote"]


@dataclass(frozen=True, slots=True)
class Placed:
    order: PlacedOrder
    is_new: bool
    """False where the same request was placed before: the answer is the same, nothing was done twice"""


def quote(
    session: Session,
    *,
    account_id: UUID,
    contact_id: UUID | None,
    cart: Sequence[CartLine],
    now: datetime,
    policy: Policy,
) -> Quote:
    """A binding offer for `cart`, valid for `policy.quote_lifetime`. Raises CartRefused, UnknownAccount, TemporarilyUnavailable (`taking_effect`).

    A request for a lower tier opens a support case, or brings the open one up to date, before it is refused; commit the transaction even though this raises.
    """
    terms = quoting.PricingTerms(as_of=business_time(now), policy=policy)
    try:
        priced, terms = taking_effect.price(
            session, account_id=account_id, contact_id=contact_id, cart=cart, terms=terms
        )
    except quoting.CartRefused as refused:
        open_cases(session, cart, refused)
        raise
    contact = priced.facts.contact
    if contact is None:
        raise AssertionError("a cart without a billing contact is refused")
    return quoting.save_quote(
        session, priced, contact_id=contact.id, as_of=terms.as_of, lifetime=policy.quote_lifetime, vat_set_aside=False
    )


def place(
    session: Session, *, quote_id: UUID, account_id: UUID, idempotency_key: str, api_key_id: UUID | None, now: datetime
) -> Placed:
    """Order what the quote offers: order, lines and outbox row in one transaction.

    The same key with the same request gives the same order. Raises RequestRefused: unknown-quote, quote-expired, quote-used,
    open-order (another order on one of the products is still open), idempotency-key-reused (other request).
    """
    now = business_time(now)
    digest = hashlib.sha256(json.dumps([str(account_id), str(quote_id)]).encode()).hexdigest()
    try:
        order = placing.insert_order(
            session,
            quote_id=quote_id,
            account_id=account_id,
            now=now,
            idempotency_key=idempotency_key,
            request_digest=digest,
            api_key_id=api_key_id,
        )
    except ProductsTaken as taken:
        raise RequestRefused(
            "open-order",
            f"Another order for {taken} is still open; wait for it, or cancel it first.",
            products=taken.products,
            order_ids=_holding(session, account_id, taken.products),
        ) from None
    if order is not None:
        return Placed(order, is_new=True)
    before = _placed_before(session, api_key_id, idempotency_key)
    if before is not None:
        return Placed(_same_request(before, digest), is_new=False)
    raise _refusal(session, quote_id, account_id, now)


def _holding(session: Session, account_id: UUID, products: Sequence[str]) -> list[str]:
    """The orders that hold them, oldest first; one that has ended meanwhile holds nothing any more."""
    held = OrderedProduct.account_id == account_id, OrderedProduct.product_code.in_(products)
    query = select(Order.id).where(Order.id.in_(select(OrderedProduct.order_id).where(*held)))
    return [str(id_) for id_ in session.scalars(query.order_by(Order.number))]


def _placed_before(session: Session, api_key_id: UUID | None, idempotency_key: str) -> Order | None:
    same_caller = Order.api_key_id.is_not_distinct_from(api_key_id)
    return session.scalar(select(Order).where(same_caller, Order.idempotency_key == idempotency_key))


def _same_request(before: Order, digest: str) -> PlacedOrder:
    if before.request_digest != digest:
        raise RequestRefused(
            "idempotency-key-reused",
            "This Idempotency-Key was used for another order; use a new one.",
            order_id=str(before.id),
        )
    return PlacedOrder(before.id, before.number, before.account_id, before.created_at)


def _refusal(session: Session, quote_id: UUID, account_id: UUID, now: datetime) -> RequestRefused:
    placed = session.scalar(select(Order.id).where(Order.quote_id == quote_id, Order.account_id == account_id))
    placed = placed or _placed_on_a_quote_since_replaced(session, quote_id, account_id)
    if placed is not None:
        return RequestRefused(
            "quote-used",
            "An order was placed on this quote already, with another Idempotency-Key or API key: it is `order_id`.",
            order_id=str(placed),
        )
    expires_at = session.scalar(select(Quote.expires_at).where(Quote.id == quote_id, Quote.account_id == account_id))
    if expires_at is None:
        return RequestRefused("unknown-quote", "There is no such quote for this account; ask for a new one.")
    if expires_at <= now:
        return quote_expired("The quote has expired; ask for a new one.", expires_at)
    return RequestRefused("quote-used", "An order was already placed on this quote; ask for a new one.")


def _placed_on_a_quote_since_replaced(session: Session, quote_id: UUID, account_id: UUID) -> UUID | None:
    """The order that was placed on this quote and has since been confirmed with another."""
    on_it = (OrderEvent.kind == Kind.ORDER_PLACED) & (OrderEvent.facts["quote_id"].astext == str(quote_id))
    query = select(Order.id).join(OrderEvent, OrderEvent.order_id == Order.id)
    return session.scalar(query.where(Order.account_id == account_id, on_it))
