"""Prorata's database against the world's own books: every order, every charge, every refund, every letter, every balance."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from models.messages import OutboxMessage, SentLetter
from models.orders import Order, OrderEvent, Quote
from models.payments import ChargeAttempt
from models.rules.cart import Action
from models.states import FINAL, AttemptStatus, LetterKind, OrderStatus, PaymentKind
from models.subscriptions import SubscriptionPeriod
from tasks.ledger_check.verify import verify
from worker.drill.books import Books


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    order_id: UUID | None
    what: str


@dataclass(slots=True)
class Audit:
    orders: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    charges: int = 0
    refunds: int = 0
    letters: int = 0
    letters_again: int = 0
    """emails that arrived twice under one Message-ID, which SMTP allows: the mail server accepted the email, and our process died
    (or the answer was lost) before that was recorded"""
    findings: list[Finding] = field(default_factory=list)


def audit(
    session: Session,
    books: Mapping[str, list[dict[str, Any]]],
    mails: Counter[str],
    *,
    told: Mapping[UUID, tuple[int, str]] | None = None,
) -> Audit:
    """Hold all orders against the books; call it once everything is quiet.

    told: the amount due, in minor units of its currency, that the API told an order's customer last.
    """
    stripe = Books.read(books)
    result = Audit()
    orders = {order.id: order for order in session.scalars(select(Order).options(selectinload(Order.lines)))}
    quoted = {row[0]: row[1] for row in session.execute(select(Quote.id, Quote.due_minor))}
    known = _Known.read(session)
    result.orders = len(orders)
    result.charges = sum(map(len, stripe.paid.values()))
    result.refunds = sum(map(len, stripe.refunded.values()))
    result.letters = sum(mails.values())
    result.findings += [Finding(None, what) for what in stripe.strange]
    result.findings += [
        Finding(stranger, "Stripe charged for an order we do not have") for stranger in stripe.paid.keys() - orders
    ]
    for order in orders.values():
        result.by_status[order.status.value] += 1
        about = [
            *_about_end(order),
            *_about_money(order, quoted[order.quote_id], stripe, known),
            *_about_what_was_told(order, (told or {}).get(order.id)),
            *_about_activation(order, known),
            *_about_letters(order, mails, known, result),
        ]
        result.findings += [Finding(order.id, what) for what in about]
    result.findings += [Finding(None, what) for what in _about_all(session, mails, known)]
    return result


@dataclass(frozen=True, slots=True)
class _Known:
    """What our tables say beside the orders themselves, by order."""

    attempts: Mapping[UUID, list[ChargeAttempt]]
    periods: Mapping[UUID, int]
    letters: Mapping[UUID, list[SentLetter]]
    done: Mapping[tuple[UUID, str], int]

    @classmethod
    def read(cls, session: Session) -> "_Known":
        attempts: dict[UUID, list[ChargeAttempt]] = defaultdict(list)
        for attempt in session.scalars(select(ChargeAttempt)):
            attempts[attempt.order_id].append(attempt)
        letters: dict[UUID, list[SentLetter]] = defaultdict(list)
        for letter in session.scalars(select(SentLetter)):
            letters[letter.order_id].append(letter)
        periods = select(SubscriptionPeriod.order_id, func.count()).group_by(SubscriptionPeriod.order_id)
        events = select(OrderEvent.order_id, OrderEvent.kind, func.count()).group_by(
            OrderEvent.order_id, OrderEvent.kind
        )
        return cls(
            attempts,
            {row[0]: row[1] for row in session.execute(periods)},
            letters,
            {(row[0], row[1]): row[2] for row in session.execute(events)},
        )


def _about_end(order: Order) -> Iterator[str]:
    if order.status not in FINAL:
        yield f"has not ended: {order.status} at {order.next_step}, {order.last_error or order.reason}"


def _about_money(order: Order, quoted_minor: int, stripe: Books, known: _Known) -> Iterator[str]:
    if order.due_minor != quoted_minor:
        yield f"its amount due is {order.due_minor}, but {quoted_minor} was quoted"
    if any(charge["currency"].upper() != order.currency for charge in stripe.paid.get(order.id, ())):
        yield "charged in another currency"
    if order.status in FINAL:
        yield from _about_charges(order, stripe, known)
        yield from _about_refunds(order, stripe)


def _about_charges(order: Order, stripe: Books, known: _Known) -> Iterator[str]:
    """Of an order that has ended."""
    charges = stripe.paid.get(order.id, [])
    taken = [charge["amount"] for charge in charges]
    sold_by_card = (
        order.status is OrderStatus.COMPLETED and order.payment_kind is PaymentKind.CARD and order.due_minor > 0
    )
    expected = [order.due_minor] if sold_by_card or order.status is OrderStatus.REFUNDED else []
    if taken != expected:
        yield f"{order.status}; Stripe charged {taken}, and it should be {expected}"
    ours = sorted(a.ref or "" for a in known.attempts.get(order.id, ()) if a.status is AttemptStatus.SUCCEEDED)
    theirs = sorted(charge["payment_intent"] for charge in charges)
    if ours != theirs:
        yield f"we have the charges {ours}, Stripe has {theirs}"
    if pending := stripe.pending.get(order.id):
        yield f"has ended, and payment {pending[0]['id']} may yet be taken"


def _about_refunds(order: Order, stripe: Books) -> Iterator[str]:
    """Of an order that has ended."""
    charges = stripe.paid.get(order.id, [])
    back = [refund["amount"] for charge in charges for refund in stripe.refunded.get(charge["id"], ())]
    expected = [order.due_minor] if order.status is OrderStatus.REFUNDED else []
    if back != expected:
        yield f"{order.status}; Stripe refunded {back}, and it should be {expected}"


def _about_what_was_told(order: Order, told: tuple[int, str] | None) -> Iterator[str]:
    ours = (order.due_minor, order.currency)
    if told is not None and order.status in FINAL and told != ours:
        yield f"its customer was told {told}, and the order says {ours}"


def _about_activation(order: Order, known: _Known) -> Iterator[str]:
    expected = len(order.lines) if order.status is OrderStatus.COMPLETED else 0
    if order.status in FINAL and (periods := known.periods.get(order.id, 0)) != expected:
        yield f"{order.status}; activated {periods} lines, and it should be {expected}"
    for once in ("activate_subscription.done", "collect_payment.done", "order.completed", "refund_payment.done"):
        if (times := known.done.get((order.id, once), 0)) > 1:
            yield f"{once} {times} times"


def _about_letters(order: Order, mails: Counter[str], known: _Known, result: Audit) -> Iterator[str]:
    letters = {letter.kind: letter for letter in known.letters.get(order.id, ())}
    for kind in expected_letters(order):
        if kind not in letters or not mails[letters[kind].message_id.strip("<>")]:
            yield f"{order.status}, and its {kind} never arrived"
    for kind, letter in letters.items():
        times = mails[letter.message_id.strip("<>")]
        if times > 1 and letter.attempts > 1:
            result.letters_again += times - 1
        elif times > 1:
            yield f"its {kind} arrived {times} times, and was sent once"
        if times > letter.attempts:
            yield f"its {kind} arrived {times} times in {letter.attempts} attempts"


def expected_letters(order: Order) -> list[LetterKind]:
    """What its customer must have got by now."""
    if order.status is OrderStatus.REFUNDED:
        return [LetterKind.REFUND_NOTICE]
    if order.status is not OrderStatus.COMPLETED:
        return []
    actions = {line.action for line in order.lines}
    kinds = [LetterKind.CONFIRMATION] if actions - {Action.TRIAL} else []
    kinds += [LetterKind.TRIAL_WELCOME] if Action.TRIAL in actions else []
    rose = any(line.from_seats is None or line.seats > line.from_seats for line in order.lines)
    return kinds + ([LetterKind.SEAT_PROMPT] if rose else [])


def _about_all(session: Session, mails: Counter[str], known: _Known) -> Iterator[str]:
    ours = {letter.message_id.strip("<>") for letters in known.letters.values() for letter in letters}
    for stray in mails.keys() - ours:
        yield f"an email nobody here wrote: {stray}"
    if waiting := session.scalar(select(func.count()).select_from(OutboxMessage)):
        yield f"{waiting} messages still wait in the outbox"
    yield from (f"ledger: {difference}" for difference in verify(session))
