"""Assigns and unassigns a subscription's seats, one or many at once.

Every change locks the subscription's row first, as activation does, so that concurrent changes cannot assign more users than seats.
While an order that reduces the seats is open, the lower number counts: nobody gets a seat that is about to be removed.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from models.base import uuid7
from models.orders import Order, OrderedProduct, OrderLine
from models.rules.cart import RUNNING, Action
from models.subscriptions import SITS, SeatAssignment, Subscription, assigned

MAX_CHANGES = 20_000


class SeatAction(StrEnum):
    ASSIGN = "assign"
    UNASSIGN = "unassign"


class SeatResult(StrEnum):
    ASSIGNED = "assigned"
    ALREADY_ASSIGNED = "already_assigned"
    UNASSIGNED = "unassigned"
    NOT_ASSIGNED = "not_assigned"
    """it had no seat to begin with; nothing was done"""


@dataclass(frozen=True, slots=True)
class SeatChange:
    action: SeatAction
    email: str
    """in lower case: one person, one seat, however the address is written"""


@dataclass(frozen=True, slots=True)
class SeatsLeft:
    """How many seats a subscription has left."""

    seats: int
    limit: int
    """`seats`, or fewer while the order `cut_by` is open"""
    cut_by: int | None = None
    """its number"""
    cut_by_id: UUID | None = None


class SeatsRefused(Exception):
    """Nothing was changed; `code` is stable, the message says what to do. `changes`: positions of the refused changes."""

    def __init__(self, code: str, message: str, *, changes: Sequence[int] = (), **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.changes = tuple(changes)
        self.facts = facts


def assign(session: Session, *, subscription_id: UUID, email: str, now: datetime) -> SeatResult:
    """Give a user a seat; one who has it keeps it. Raises SeatsRefused: unknown-subscription, not-active, no-seat-left."""
    return change(session, subscription_id=subscription_id, changes=[_one(SeatAction.ASSIGN, email)], now=now)[0]


def unassign(session: Session, *, subscription_id: UUID, email: str, now: datetime) -> SeatResult:
    """Take a user's seat away; a user without one is ignored. Raises SeatsRefused: unknown-subscription."""
    return change(session, subscription_id=subscription_id, changes=[_one(SeatAction.UNASSIGN, email)], now=now)[0]


def change(
    session: Session, *, subscription_id: UUID, changes: Sequence[SeatChange], now: datetime
) -> list[SeatResult]:
    """All changes or none, in any order: only the final assignment counts. Returns a result per change.

    Raises SeatsRefused: unknown-subscription, not-active, no-seat-left, email-twice, too-many-changes.
    """
    _refuse_repeated(changes)
    subscription = session.scalar(
        select(Subscription)
        .where(Subscription.id == subscription_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if subscription is None:
        raise SeatsRefused("unknown-subscription", "There is no such subscription.")
    results = _results(session, subscription_id, changes)
    _refuse_too_many(session, subscription, results, now)
    _unassign(session, subscription_id, _emails(changes, results, SeatResult.UNASSIGNED), now)
    _assign(session, subscription_id, _emails(changes, results, SeatResult.ASSIGNED), now)
    return results


def refuse_overfull(
    session: Session, subscription: Subscription, changes: Sequence[SeatChange], *, now: datetime
) -> None:
    """Refuse changes that `change` would refuse whatever the addresses, so that these need no check.

    All users to be assigned need a seat in the end, whoever is unassigned. So if they outnumber both the seats and the users who have
    one now, no seat is left for the last of them, or two of their addresses belong to the same user.
    Raises SeatsRefused as `change` does.
    """
    users = {c.email for c in changes if c.action is SeatAction.ASSIGN}
    if len(users) > max(left(session, subscription).limit, assigned(session, subscription.id)):
        _refuse_repeated(changes)
        _refuse_too_many(session, subscription, _results(session, subscription.id, changes), now)


def left(session: Session, subscription: Subscription) -> SeatsLeft:
    """How many seats there are, and how many may be occupied: fewer only while an open order reduces them."""
    cut = session.execute(
        select(OrderLine.seats, Order.number, Order.id)
        .join(OrderedProduct, OrderedProduct.order_id == OrderLine.order_id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(
            OrderedProduct.account_id == subscription.account_id,
            OrderedProduct.product_code == subscription.product_code,
            OrderLine.product_code == subscription.product_code,
            OrderLine.seats < subscription.seats,
            or_(OrderLine.action != Action.CHANGE, OrderLine.seats != OrderLine.from_seats),
        )
    ).first()
    if cut is None:
        return SeatsLeft(subscription.seats, subscription.seats)
    return SeatsLeft(subscription.seats, cut.seats, cut_by=cut.number, cut_by_id=cut.id)


def _one(action: SeatAction, email: str) -> SeatChange:
    return SeatChange(action, email.lower())


def _refuse_repeated(changes: Sequence[SeatChange]) -> None:
    if len(changes) > MAX_CHANGES:
        raise SeatsRefused("too-many-changes", f"At most {MAX_CHANGES} changes at once; send the rest afterwards.")
    counts = Counter(c.email for c in changes)
    again = [i for i, c in enumerate(changes) if counts[c.email] > 1]
    if again:
        raise SeatsRefused("email-twice", "The same user is named more than once; name each user once.", changes=again)


def _refuse_too_many(
    session: Session, subscription: Subscription, results: Sequence[SeatResult], now: datetime
) -> None:
    new = [i for i, result in enumerate(results) if result is SeatResult.ASSIGNED]
    if not new:
        return
    if subscription.status_at(now) not in RUNNING:
        raise SeatsRefused(
            "not-active", "The subscription is not active, so its seats cannot be assigned; subscribe first."
        )
    room = left(session, subscription)
    sitting = assigned(session, subscription.id)
    after = sitting + len(new) - results.count(SeatResult.UNASSIGNED)
    if after <= room.limit:
        return
    why = f", which order {room.cut_by} lowers to {room.limit}" if room.cut_by else ""
    seats, are = "seat" if room.seats == 1 else "seats", "is" if sitting == 1 else "are"
    raise SeatsRefused(
        "no-seat-left",
        f"The subscription has {room.seats} {seats}{why}; {sitting} {are} assigned. Unassign somebody, or order more seats.",
        changes=new[-(after - room.limit) :],
        seats=room.seats,
        limit=room.limit,
        assigned=sitting,
    )


def _results(session: Session, subscription_id: UUID, changes: Sequence[SeatChange]) -> list[SeatResult]:
    sitting = _sitting(session, subscription_id, {c.email for c in changes})
    return [_result(c, c.email in sitting) for c in changes]


def _result(wanted: SeatChange, sits: bool) -> SeatResult:
    if wanted.action is SeatAction.ASSIGN:
        return SeatResult.ALREADY_ASSIGNED if sits else SeatResult.ASSIGNED
    return SeatResult.UNASSIGNED if sits else SeatResult.NOT_ASSIGNED


def _emails(changes: Sequence[SeatChange], results: Sequence[SeatResult], wanted: SeatResult) -> list[str]:
    return [c.email for c, result in zip(changes, results, strict=True) if result is wanted]


def _now_on(subscription_id: UUID) -> ColumnElement[bool]:
    return and_(SeatAssignment.subscription_id == subscription_id, SITS)


def _sitting(session: Session, subscription_id: UUID, emails: Collection[str]) -> set[str]:
    query = select(SeatAssignment.user_email).where(
        _now_on(subscription_id), SeatAssignment.user_email.in_(sorted(emails))
    )
    return set(session.scalars(query))


def _assign(session: Session, subscription_id: UUID, emails: Sequence[str], now: datetime) -> None:
    rows = [
        {"id": uuid7(), "subscription_id": subscription_id, "user_email": email, "assigned_at": now} for email in emails
    ]
    if rows:
        session.execute(insert(SeatAssignment), rows)


def _unassign(session: Session, subscription_id: UUID, emails: Sequence[str], now: datetime) -> None:
    if emails:
        session.execute(
            update(SeatAssignment)
            .where(_now_on(subscription_id), SeatAssignment.user_email.in_(emails))
            .values(unassigned_at=now)
        )
