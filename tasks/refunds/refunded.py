"""What is recorded about refunds: whether an order's money went back, or was to, and who returned it. `refunding` makes them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from models import timeline
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus, RefundState
from models.timeline_kinds import Kind

OUTSIDE: Final = "outside:"
"""begins the ref of a refund that a person recorded as made by other means"""
DISPUTE_LOST: Final = "dispute-lost"
"""reason of such a refund, if the customer's bank has taken the money back"""
SETTLED_OUTSIDE = RefundAttempt.ref.startswith(OUTSIDE)
"""selects refunds that a person recorded as made by other means; the provider does not know their refs"""

OF_CHARGE = and_(
    ChargeAttempt.order_id == RefundAttempt.order_id, ChargeAttempt.attempt == RefundAttempt.charge_attempt
)
"""joins refunds with the charge of which each is"""


def succeeded_charge(session: Session, order: Order) -> ChargeAttempt | None:
    """The attempt that took the order's money."""
    return session.scalar(
        select(ChargeAttempt).where(ChargeAttempt.order_id == order.id, ChargeAttempt.status == AttemptStatus.SUCCEEDED)
    )


def attempts_of(session: Session, charge: ChargeAttempt) -> list[RefundAttempt]:
    """The refunds of the charge, as the database has them now."""
    query = select(RefundAttempt).where(
        RefundAttempt.order_id == charge.order_id, RefundAttempt.charge_attempt == charge.attempt
    )
    return list(session.scalars(query.execution_options(populate_existing=True)))


def is_refunded(session: Session, charge: ChargeAttempt) -> bool:
    """Whether a refund of it was accepted."""
    return any(attempt.status is RefundState.SUCCEEDED for attempt in attempts_of(session, charge))


def failed_refunds(session: Session, charge: ChargeAttempt) -> list[RefundAttempt]:
    """The refunds of the charge that failed."""
    return [attempt for attempt in attempts_of(session, charge) if attempt.status is RefundState.FAILED]


def made_in_vain(session: Session, charge: ChargeAttempt) -> list[RefundAttempt]:
    """The refunds of the charge that the provider made, and that failed; not those that were given up and never made."""
    return [attempt for attempt in failed_refunds(session, charge) if attempt.ref is not None]


def has_failed(session: Session, order: Order) -> bool:
    """Whether the order's money was to go back, and has not: a refund of it failed, and none has succeeded since."""
    charge = succeeded_charge(session, order)
    return charge is not None and bool(failed_refunds(session, charge)) and not is_refunded(session, charge)


def is_under_way(session: Session, charge: ChargeAttempt) -> bool:
    """Whether a refund of the charge was requested, and the answer to the last request is not known."""
    return any(
        attempt.status is RefundState.PENDING and attempt.asked_at is not None
        for attempt in attempts_of(session, charge)
    )


def is_unexpected(session: Session, charge: ChargeAttempt) -> bool:
    """Whether the charge is money that its order has no use for. That of an order that turned back counts as its own again."""
    noted = timeline.is_noted(session, charge.order_id, Kind.CHARGE_UNEXPECTED, {"attempt": charge.attempt})
    return noted and charge.status is not AttemptStatus.SUCCEEDED


def is_for_a_person(session: Session, charge: ChargeAttempt) -> bool:
    """Whether a refund of an unexpected charge failed, or was refused."""
    return is_refused(session, charge) or bool(made_in_vain(session, charge))


def is_refused(session: Session, charge: ChargeAttempt) -> bool:
    """Whether the provider has ever refused to refund an unexpected charge. It may be asked again since: see `is_under_way`."""
    return timeline.is_noted(session, charge.order_id, Kind.REFUND_REFUSED, {"attempt": charge.attempt})


def anything_given_back(session: Session, order: Order) -> bool:
    """Whether money that was taken for the order went back, or is to: its own, or such as it had no use for, even if nobody has begun to refund it."""
    refund = select(RefundAttempt.key).where(RefundAttempt.order_id == order.id).limit(1)
    return session.scalar(refund) is not None or timeline.is_noted(session, order.id, Kind.CHARGE_UNEXPECTED, {})


def refunded_minor(session: Session, order_id: UUID) -> int:
    """How much of the order's charge was refunded, without refunds of unexpected money."""
    query = (
        select(func.sum(RefundAttempt.amount_minor))
        .join(ChargeAttempt, OF_CHARGE)
        .where(
            RefundAttempt.order_id == order_id,
            RefundAttempt.status == RefundState.SUCCEEDED,
            ChargeAttempt.status == AttemptStatus.SUCCEEDED,
        )
    )
    return int(session.scalar(query) or 0)


def is_settled_outside(attempt: RefundAttempt) -> bool:
    """Whether a person says that it was made by other means (see `refunding.settle_outside`)."""
    return attempt.ref is not None and attempt.ref.startswith(OUTSIDE)


def is_made_of_others(attempt: RefundAttempt) -> bool:
    """Whether it succeeded because several refunds made elsewhere return the money together (see `refunding.Answer`)."""
    return attempt.status is RefundState.SUCCEEDED and attempt.ref is None


def was_settled_outside(session: Session, order_id: UUID) -> bool:
    """Whether a person says that the order's own charge was refunded by other means."""
    return session.scalar(_settled_outside(order_id)) is not None


def recorded_minor(session: Session, order_id: UUID) -> tuple[int, int]:
    """How much of the order's own charge the customer's bank has given back, and how much a person by other means, as was recorded; the rest went to the card.

    Where the sums were not known, because the provider could not be asked, say, or by an earlier release, all of it counts as one of them.
    """
    attempt = session.scalar(_settled_outside(order_id))
    if attempt is None:
        return 0, 0
    entries = recorded_entries(session, attempt)
    if entries and "by_bank_minor" in (newest := entries[-1]):
        return newest["by_bank_minor"], sum(facts["owed_minor"] for facts in entries)
    return (attempt.amount_minor, 0) if attempt.reason == DISPUTE_LOST else (0, attempt.amount_minor)


def recorded_entries(session: Session, attempt: RefundAttempt) -> Sequence[Mapping[str, Any]]:
    """What the timeline says of a refund that a person recorded as made by other means, oldest first: again, if more was paid after a dispute went on, or a refund failed."""
    about = (OrderEvent.order_id == attempt.order_id, OrderEvent.kind == Kind.REFUND_SETTLED_OUTSIDE)
    of_it = OrderEvent.facts.contains({"attempt": attempt.attempt})
    return session.scalars(select(OrderEvent.facts).where(*about, of_it).order_by(OrderEvent.id)).all()


def recorded_outside(session: Session, charge: ChargeAttempt) -> RefundAttempt | None:
    """The refund of the charge that a person recorded as made by other means."""
    made = (each for each in attempts_of(session, charge) if each.status is RefundState.SUCCEEDED)
    return next(filter(is_settled_outside, made), None)


def paid_minor(session: Session, charge: ChargeAttempt) -> int | None:
    """What a person recorded as paid of the charge by other means; None if nobody has, or not how much."""
    attempt = recorded_outside(session, charge)
    entries = () if attempt is None else recorded_entries(session, attempt)
    if not entries or any("owed_minor" not in facts for facts in entries):
        return None
    paid: int = sum(facts["owed_minor"] for facts in entries)
    return paid


def _settled_outside(order_id: UUID) -> Select[RefundAttempt]:
    return (
        select(RefundAttempt)
        .join(ChargeAttempt, OF_CHARGE)
        .where(RefundAttempt.order_id == order_id, SETTLED_OUTSIDE, ChargeAttempt.status == AttemptStatus.SUCCEEDED)
    )
