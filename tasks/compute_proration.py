"""Recompute the amount and compare it with the quote; reserve the balance's share.

The charge equals the quote to the cent, or the order stops here and asks the customer: no order passes this step otherwise.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from models import order_cache, progress, reservation
from models.ending import Ending
from models.ledger import BalanceTooLow
from models.orders import Order
from models.rules.errors import RuleError
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from tasks.cancellation import stop_if_cancelled
from tasks.failure_points import reach
from tasks.quotes import fresh_quote, number_set_aside, quoting, what_changed
from tasks.quotes.ordered_cart import Lines, cart_of
from tasks.quotes.quoting import CartRefused
from tasks.quotes.rejection import reject
from tasks.running.outcome import Outcome
from tasks.step import done, step, stop, take
from tasks.wiring import carry, now, policy

THIS = Step.COMPUTE_PRORATION


@step
def compute_proration(order_id: UUID) -> Outcome:
    """Recompute what the customer confirmed; go on only where every figure is the same."""
    with carry() as session:
        order = take(session, order_id, THIS)
        reach("compute_proration.claimed")
        outcome = _compute(session, order)
        reach("compute_proration.called")
        return outcome


def _compute(session: Session, order: Order) -> Outcome:
    if ended := stop_if_cancelled(session, order):
        return ended
    lines = order_cache.lines(session, order)
    set_aside = number_set_aside.still_given(session, order, at=order.as_of) is not None
    try:
        priced = recompute(session, order, lines, vat_set_aside=set_aside)
    except CartRefused as refused:
        return _refuse(session, order, refused)
    except RuleError:  # the quote's instant is outside the current period: another order came in between
        return fresh_quote.propose(session, order, lines=lines, differs=["from_period_id"])
    if differs := _differences(session, order, lines, priced):
        return fresh_quote.propose(session, order, lines=lines, differs=differs)
    sold_to = priced.sold_to.as_json()
    progress.sell_to(session, order, sold_to, vat_number=priced.vat.number, vat_set_aside=set_aside)
    try:
        reservation.reserve(session, order)
    except BalanceTooLow:
        return fresh_quote.propose(session, order, lines=lines, differs=["balance_used_minor"])
    return done(session, order, facts={"net_minor": order.net_minor, "due_minor": order.due_minor})


def recompute(session: Session, order: Order, lines: Lines, *, vat_set_aside: bool) -> quoting.PricedCart:
    """The order's amount from today's facts, as of the quote's instant. Raises CartRefused, RuleError.

    vat_set_aside: whether VAT is charged although there is a number.
    """
    terms = quoting.PricingTerms(
        as_of=order.as_of,
        priced_at=now(),
        policy=policy(),
        vat_set_aside=vat_set_aside,
        reserved_minor=reservation.reserved(session, order),
        most_balance_minor=order.balance_used_minor,
    )
    return quoting.price(
        session,
        account_id=order.account_id,
        contact_id=order.contact_id,
        cart=cart_of(lines),
        terms=terms,
        known=order_cache.cart_facts(session, order),
    )


def _refuse(session: Session, order: Order, refused: CartRefused) -> Outcome:
    """End the order; but if the VAT number is malformed, wait for the customer to correct or remove it."""
    if refused.refusals[0].code is not RefusalCode.VAT_NUMBER_INVALID:
        return reject(session, order, refused)
    waits = Ending(OrderStatus.AWAITING_PAYMENT_DETAILS, reason="vat-number-invalid", wake_in=policy().waiting_lifetime)
    return stop(session, order, waits)


def _differences(session: Session, order: Order, lines: Lines, priced: quoting.PricedCart) -> list[str]:
    """What to show the customer as changed; empty if the order goes on as quoted."""
    differs = what_changed.since_quoted(order, lines, priced)
    if fresh_quote.we_are_late(order) or fresh_quote.customer_is_late(session, order):
        return sorted({*differs, "period"})
    return differs
