"""What the data of a person is still needed for, and how that ends."""

from collections.abc import Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.orders import Order, OrderEvent
from models.states import AFTER_ACTIVATION, FINAL, DisputeStatus, LetterKind, OrderStatus
from models.subscriptions import SITS, SeatAssignment, Subscription
from models.support_cases import OPEN
from models.timeline_kinds import DISPUTED
from models.vat_follow_ups import VatFollowUp
from tasks.personal_data import finding
from tasks.personal_data.person import Person
from tasks.plain_text import one_line
from tasks.refunds import disputes
from tasks.vat import unsent_letters, vat_at_bank


def obstacles(session: Session, of: Person) -> list[str]:
    """Each with what ends it."""
    ended = (*_vat_follow_ups(session, of), *_disputes(session, of))
    return [*_seats(session, of), *_orders(session, of), *ended, *_cases(session, of)]


def _seats(session: Session, of: Person) -> Iterator[str]:
    seats = select(Subscription.id, Subscription.product_code, Account.name).select_from(SeatAssignment)
    seats = seats.join(Subscription, Subscription.id == SeatAssignment.subscription_id)
    seats = seats.join(Account, Account.id == Subscription.account_id)
    for subscription, product, account in session.execute(seats.where(SeatAssignment.user_email == of.email, SITS)):
        yield (
            f"a seat of {product} at {one_line(account)}: the upstream takes it away by "
            f"POST /v1/subscriptions/{subscription}/seats/unassign"
        )


def _orders(session: Session, of: Person) -> Iterator[str]:
    under_way = finding.placed(of), Order.status.not_in(FINAL)
    orders = select(Order.number, Order.status, Order.next_step).where(*under_way).order_by(Order.number)
    for number, status, next_step in session.execute(orders):
        resume = f"`prorata orders resume {number}`" if status is OrderStatus.NEEDS_ATTENTION else ""
        cancel = f"`prorata orders cancel {number}`" if next_step not in AFTER_ACTIVATION else ""
        if resume and not cancel:
            resume += ", with --without-letters if its letter cannot be sent"
        ways = " or ".join(filter(None, (resume, cancel)))
        yield f"order {number} is {status}: let it end{', or end it by ' if ways else ''}{ways}"


def _vat_follow_ups(session: Session, of: Person) -> Iterator[str]:
    """Such an order has ended, but a letter may still be due."""
    waits = or_(VatFollowUp.outcome.is_(None), VatFollowUp.letter_owed)
    orders = select(Order, VatFollowUp.letter_owed).join(VatFollowUp, VatFollowUp.order_id == Order.id)
    for order, owed in session.execute(orders.where(finding.theirs(Order, of), Order.status.in_(FINAL), waits)):
        if owed:
            yield (
                f"a letter about the VAT of order {order.number} is owed: it is tried {unsent_letters.TRIES} times, over some days; once a try has failed, "
                f"`prorata orders send-letter {order.number} --kind {LetterKind.VAT_CORRECTION}` sends it at once"
            )
        elif vat_at_bank.is_withheld(session, order):
            yield (
                f"order {order.number} awaits the end of the dispute of what paid for it, as VAT is credited if that is won: answer it or accept it in the "
                "provider's dashboard. Within a day after its end is noted this ends by itself: docs/disputes.md, A disputed charge"
            )
        else:
            yield f"order {order.number} awaits the VAT registry's answer: it is asked at least once a day until it gives one"


def _disputes(session: Session, of: Person) -> Iterator[str]:
    """Evidence is due in the days until the bank has decided. An order whose VAT waits for that is named already."""
    entries = select(Order, OrderEvent.facts).join(OrderEvent, OrderEvent.order_id == Order.id)
    about = OrderEvent.kind.in_(DISPUTED)
    found = session.execute(entries.where(finding.placed(of), Order.status.in_(FINAL), about).order_by(OrderEvent.id))
    newest = {(order.number, facts["dispute"]): (order, facts) for order, facts in found}
    for (number, dispute), (order, facts) in sorted(newest.items(), key=lambda each: each[0]):
        if facts.get("status") == DisputeStatus.CHARGEBACK and not vat_at_bank.is_withheld(session, order):
            yield (
                f"the bank has not decided yet about a charge of order {number} (dispute {dispute}), and who ordered is evidence: answer it or accept it in the provider's "
                f"dashboard ({disputes.IF_PREVENTED}). Once its end is noted (also by `prorata orders note-disputes {number}`) this ends by itself: docs/disputes.md, A disputed charge"
            )


def _cases(session: Session, of: Person) -> Iterator[str]:
    for case in session.scalars(finding.support_cases(of).where(OPEN)):
        if finding.asked_for(case, of):
            yield f'support case {case.number} is open: `prorata cases close {case.number} --why "..."`'
