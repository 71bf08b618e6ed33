"""Handles an amount that no longer equals the quote: makes a fresh quote, takes no money and waits for the customer."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from models import reservation, waiting_orders
from models.ending import Ending
from models.orders import Order, Quote
from models.states import OrderStatus
from tasks.quotes import number_set_aside, quoting, taking_effect
from tasks.quotes.ordered_cart import Lines, cart_of
from tasks.quotes.rejection import reject
from tasks.running.outcome import Outcome
from tasks.step import stop
from tasks.wiring import now, policy

TOLERATED_DELAY = timedelta(days=1)
"""how long an order that we delayed still goes on as quoted, after its quote, or its time to authenticate, has expired"""


def we_are_late(order: Order) -> bool:
    """Whether a fresh quote is due because we delayed the order so long that the quoted period would have begun long before it is paid for.

    An order loaded from a file of accounts may have been bought long before it was placed; that alone does not make it late.
    """
    return now() - max(order.created_at, order.as_of + policy().quote_lifetime) > TOLERATED_DELAY


def customer_is_late(session: Session, order: Order) -> bool:
    """Whether a fresh quote is due because we waited for the customer, who came back after the quote had expired."""
    return order.as_of + policy().quote_lifetime <= now() and waiting_orders.waited_for_customer(session, order)


def propose(
    session: Session, order: Order, *, lines: Lines, differs: list[str], vat_set_aside: bool = False
) -> Outcome:
    """Stop the order at awaiting_confirmation with a fresh quote, or reject it if the cart may no longer be ordered at all. Raises LeaseLost.

    vat_set_aside: charge VAT although there is a number. Once the customer has agreed to that, it remains so while the registry is away.
    """
    try:
        quote = _quote_anew(session, order, lines, now(), vat_set_aside=vat_set_aside)
    except quoting.CartRefused as refused:
        return reject(session, order, refused)
    if order.vat_set_aside and quote.vat_number is not None:
        differs = sorted({*differs, "tax_treatment"})
    outcome = stop(
        session,
        order,
        Ending(
            OrderStatus.AWAITING_CONFIRMATION,
            reason="amount-differs",
            facts={
                "differs": differs,
                "quoted_due_minor": order.due_minor,
                "due_minor": quote.due_minor,
                "quoted_total_minor": order.total_minor,
                "total_minor": quote.total_minor,
                "quote_id": str(quote.id),
            },
            wake_in=policy().waiting_lifetime,
        ),
    )
    waiting_orders.propose_quote(session, order.id, quote.id)
    return outcome


def _quote_anew(session: Session, order: Order, lines: Lines, at: datetime, *, vat_set_aside: bool) -> Quote:
    """Price and offer the order's cart as of `at`. Raises CartRefused, TemporarilyUnavailable (`taking_effect`)."""
    set_aside = vat_set_aside or _stays_set_aside(session, order, at)
    terms = quoting.PricingTerms(
        as_of=at, policy=policy(), vat_set_aside=set_aside, reserved_minor=reservation.reserved(session, order)
    )
    priced, terms = taking_effect.price(
        session, account_id=order.account_id, contact_id=order.contact_id, cart=cart_of(lines), terms=terms
    )
    return quoting.save_quote(
        session,
        priced,
        contact_id=order.contact_id,
        as_of=terms.as_of,
        lifetime=policy().quote_lifetime,
        vat_set_aside=set_aside,
    )


def _stays_set_aside(session: Session, order: Order, at: datetime) -> bool:
    """Whether VAT stays charged despite the number: it would still decide the VAT, and the registry has given no recent answer.

    The registry is not asked here: once it answers, the VAT is credited automatically (`tasks.vat.vat_follow_up`).
    """
    number = number_set_aside.still_given(session, order, at=at)
    if number is None:
        return False
    lately = at - policy().vat_evidence_lifetime
    return quoting.evidence(session, order.account_id, number, not_before=lately) is None
