"""The data a letter is written from, read from the tables."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import order_cache
from models.orders import Order, OrderLine
from models.rules.cart import Action, SubscriptionStatus
from models.sold_to import as_sold
from models.states import LetterKind
from models.subscriptions import Subscription
from tasks import display_names
from tasks.billing import attachments, receivables
from tasks.letters.occasion import Occasion
from tasks.refunds import refunding
from tasks.wiring import now, policy


def of(session: Session, order: Order, kind: LetterKind) -> Occasion:
    """The data for a letter of `kind`; data for other kinds is not read."""
    lines = order_cache.lines(session, order)
    tells_of_refund = kind is LetterKind.REFUND_NOTICE
    return Occasion(
        order=order,
        lines=lines,
        account=as_sold(order, order_cache.account(session, order)),
        contact=order_cache.contact(session, order),
        seller=policy().seller,
        names=display_names.of_order(session, order),
        card=display_names.card(session, order),
        refunded_minor=refunding.refunded_minor(session, order.id) if tells_of_refund else 0,
        refunded_outside=tells_of_refund and refunding.was_settled_outside(session, order.id),
        transferred_minor=receivables.paid_by_transfer(session, order.id) if tells_of_refund else 0,
        trials_running=_trials_running(session, lines) if tells_of_refund else (),
        unassigned=_unassigned(session, order, lines) if kind is LetterKind.SEAT_PROMPT else {},
        credited_in=attachments.credited_in(session, order) if kind is LetterKind.CONFIRMATION else {},
        corrected_vat_minor=attachments.corrected_vat(session, order) if kind is LetterKind.VAT_CORRECTION else 0,
        enclosed=attachments.enclosed(session, order, kind),
    )


def _trials_running(session: Session, lines: Sequence[OrderLine]) -> Sequence[str]:
    """Products whose trials the order began and that still run, neither ended nor bought since."""
    began = [line.subscription_id for line in lines if line.action is Action.TRIAL]
    running = select(Subscription.product_code).where(
        Subscription.id.in_(began), Subscription.status == SubscriptionStatus.TRIALING, Subscription.period_end > now()
    )
    return session.scalars(running.order_by(Subscription.product_code)).all()


def _unassigned(session: Session, order: Order, lines: Sequence[OrderLine]) -> dict[str, int]:
    """Seats without a user, by product."""
    assigned = order_cache.assigned_users(session, order)
    return {
        line.product_code: line.seats - assigned.get(line.subscription_id, 0)
        for line in lines
        if line.subscription_id is not None
    }
