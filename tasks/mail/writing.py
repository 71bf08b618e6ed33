"""Writes a letter from what the tables say."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import order_cache
from models.accounts import Contact
from models.orders import Order, OrderLine
from models.rules.cart import Action, SubscriptionStatus
from models.sold_to import as_sold
from models.states import LetterKind
from models.subscriptions import Subscription, period_of
from tasks import display_names
from tasks.billing import attachments, receivables
from tasks.errors import Misconfigured
from tasks.letters.compose import compose
from tasks.letters.confirmation import confirmation
from tasks.letters.content import Content
from tasks.letters.occasion import Occasion
from tasks.letters.refund_notice import Refunded, refund_notice
from tasks.letters.seat_prompt import seat_prompt
from tasks.letters.trial_welcome import trial_welcome
from tasks.letters.vat_correction import vat_correction
from tasks.mail import still_true
from tasks.ports import Letter
from tasks.refunds import parked_notices, refunded
from tasks.wiring import now, policy


def written(session: Session, order: Order, kind: LetterKind, *, to: Contact | None = None) -> Letter:
    """The order's letter of `kind`, with its documents. to: None for the order's own contact.

    Raises Misconfigured if a person must look first, as what it would say is not true any more.
    """
    occasion = Occasion(
        order=order,
        lines=order_cache.lines(session, order),
        account=as_sold(order, order_cache.account(session, order)),
        contact=to or order_cache.contact(session, order),
        seller=policy().seller,
        names=display_names.of_order(session, order),
        card=display_names.card(session, order),
        enclosed=attachments.enclosed(session, order, kind),
    )
    letter = compose(kind, occasion, _content(session, kind, occasion))
    return replace(letter, attachments=attachments.for_letter(session, order, kind))


def _content(session: Session, kind: LetterKind, occasion: Occasion) -> Content:
    order = occasion.order
    match kind:
        case LetterKind.CONFIRMATION:
            return confirmation(occasion, credited_in=attachments.credited_in(session, order))
        case LetterKind.TRIAL_WELCOME:
            return trial_welcome(occasion, trials=still_true.trials(session, order))
        case LetterKind.SEAT_PROMPT:
            return seat_prompt(occasion, to_assign=still_true.seats_to_assign(session, order))
        case LetterKind.REFUND_NOTICE:
            if why := parked_notices.why_parked(session, order):
                raise Misconfigured(why)
            return refund_notice(occasion, _refunded(session, order, occasion.lines))
        case LetterKind.VAT_CORRECTION:
            return vat_correction(occasion, corrected_minor=attachments.corrected_vat(session, order))


def _refunded(session: Session, order: Order, lines: Sequence[OrderLine]) -> Refunded:
    by_bank_minor, otherwise_minor = refunded.recorded_minor(session, order.id)
    return Refunded(
        charge_minor=refunded.refunded_minor(session, order.id),
        by_bank_minor=by_bank_minor,
        otherwise_minor=otherwise_minor,
        transferred_minor=receivables.paid_by_transfer(session, order.id),
        trials_running=_trials_running(session, lines),
        ran_out=_ran_out(session, lines),
    )


def _ran_out(session: Session, lines: Sequence[OrderLine]) -> int:
    """How many of the order's purchases were over before it was refunded."""
    periods = [period_of(session, line) for line in lines if line.interval is not None]
    return sum(period.ran_out for period in periods if period is not None)


def _trials_running(session: Session, lines: Sequence[OrderLine]) -> Sequence[str]:
    """Products whose trials the order began and that still run, neither ended nor bought since."""
    began = [line.subscription_id for line in lines if line.action is Action.TRIAL]
    running = select(Subscription.product_code).where(
        Subscription.id.in_(began), Subscription.status == SubscriptionStatus.TRIALING, Subscription.period_end > now()
    )
    return session.scalars(running.order_by(Subscription.product_code)).all()
