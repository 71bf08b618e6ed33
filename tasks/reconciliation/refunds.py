"""Refunds: each one that the provider made must be recorded as made, and vice versa."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models import timeline
from models.payments import ChargeAttempt, RefundAttempt
from models.states import RefundState
from models.timeline_kinds import Kind
from tasks.errors import Misconfigured
from tasks.ledger_check.differences import Check, Found, differs
from tasks.ports import Dispute, Refund, RefundStatus, Unreadable
from tasks.reconciliation.unseen import Recorded, unseen
from tasks.reconciliation.words import NOTHING, numbers, told, where
from tasks.refunds import refunds_elsewhere
from tasks.refunds.refunded import OF_CHARGE, SETTLED_OUTSIDE
from tasks.wiring import begin, payments

Followed = TypeVar("Followed", Refund | Unreadable, Dispute)
_Ours = Sequence[tuple[Refund | Unreadable, UUID]]
"""refunds, each with the id of the order that was charged"""


def of_our_charges(
    session: Session, found: Sequence[Followed], made: Mapping[str, UUID]
) -> Sequence[tuple[Followed, UUID]]:
    """The refunds or disputes whose charges we have recorded, or whose charge was `made` for an order that is here: the provider says for which.

    Any other one's charge is reported by `check_charges`, or is not ours.
    """
    refs = [each.charge_ref for each in found if each.charge_ref is not None]
    here = numbers(session, (made.get(ref) for ref in refs))
    order_ids = {ref: made[ref] for ref in refs if made.get(ref) in here}
    recorded = select(ChargeAttempt.ref, ChargeAttempt.order_id).where(ChargeAttempt.ref.in_(refs))
    order_ids |= {ref: order_id for ref, order_id in session.execute(recorded) if ref is not None}
    return [(each, order_ids[ref]) for each in found if (ref := each.charge_ref) in order_ids]


def check_refunds(session: Session, refunds: _Ours) -> Found:
    known = numbers(session, (order_id for _, order_id in refunds))
    for refund, order_id in refunds:
        row = session.scalar(select(RefundAttempt).where(RefundAttempt.ref == refund.ref))
        if not _agree(session, refund, order_id, row):
            given, written = (
                told(refund),
                _noted(session, refund, order_id) if row is None else told(row),
            )
            by = "by Prorata" if refunds_elsewhere.is_by_us(order_id, refund) else "elsewhere"
            named = f"refund {refund.ref} (made {by})"
            yield from differs(Check.REFUND, where(order_id, known), named, given, written)


def _agree(session: Session, refund: Refund | Unreadable, order_id: UUID, row: RefundAttempt | None) -> bool:
    if isinstance(refund, Unreadable):
        return False
    gave = refund.status is not RefundStatus.FAILED
    if row is None:
        return not gave and not refunds_elsewhere.stands(session, order_id, refund.ref)
    return gave == (row.status is RefundState.SUCCEEDED) and (not gave or refund.amount_minor == row.amount_minor)


def check_missing_refunds(
    since: datetime, until: datetime, seen: Container[str | None], say: Callable[[str], None]
) -> Found:
    """Refunds recorded as made in that range that were not `seen`. Usually the provider dates them just outside the range, so each is looked up."""
    columns = (
        *(RefundAttempt.order_id, RefundAttempt.key, RefundAttempt.ref, RefundAttempt.status),
        *(RefundAttempt.amount_minor, RefundAttempt.currency, ChargeAttempt.ref.label("charge_ref")),
    )
    given = (
        select(*columns)
        .join(ChargeAttempt, OF_CHARGE)
        .where(
            RefundAttempt.created_at >= since,
            RefundAttempt.created_at < until,
            RefundAttempt.status == RefundState.SUCCEEDED,
            or_(RefundAttempt.ref.is_(None), ~SETTLED_OUTSIDE),
        )
    )
    with begin() as session:
        missing = unseen(session, given, seen)
        known = numbers(session, (row.order_id for row in missing))
    for done, row in enumerate(missing, start=1):
        say(f"looking up refund {done} of {len(missing)} that were not listed")
        if not _stands(row, _made(row.charge_ref)):
            named = f"refund {row.ref or row.key}"
            yield from differs(Check.REFUND, where(row.order_id, known), named, NOTHING, told(row))


def _made(charge_ref: str | None) -> Sequence[Refund]:
    """The provider's refunds of a charge, without those that failed; none if it has no charge with this id."""
    try:
        found = payments().find_refunds(charge_ref=charge_ref) if charge_ref is not None else ()
    except Misconfigured:
        return ()
    return [refund for refund in found if refund.status is not RefundStatus.FAILED]


def _stands(row: Recorded, made: Sequence[Refund]) -> bool:
    """Whether the provider made it. Without an id, it consists of refunds made elsewhere (see `refunding.Answer`)."""
    if row.ref is None:
        return bool(sum(refund.amount_minor for refund in made) >= row.amount_minor)
    return any(refund.ref == row.ref for refund in made)


def _noted(session: Session, refund: Refund | Unreadable, order_id: UUID) -> str:
    """What we know of a refund without a row: the timeline may say that it was made elsewhere, or forgotten."""
    if timeline.is_noted(session, order_id, Kind.REFUND_UNKNOWN, {"refund": refund.ref}):
        return "noted as not known"
    return "noted as made elsewhere" if refunds_elsewhere.has_gone(session, order_id, refund.ref) else NOTHING
