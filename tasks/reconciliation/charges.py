"""Charges: each one that the provider took must be recorded as taken, once, and vice versa."""

from collections.abc import Callable, Container, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.states import TAKEN_BACK, AttemptStatus, RefundState
from models.timeline_kinds import DISPUTED
from tasks.errors import Misconfigured
from tasks.ledger_check.differences import Check, Found, differs
from tasks.ports import TAKES, Charge, ChargeStatus, Unreadable
from tasks.reconciliation.unseen import unseen
from tasks.reconciliation.words import NOTHING, numbers, told, where
from tasks.refunds import disputes, refunded, refunds_elsewhere
from tasks.wiring import begin, payments


def check_charges(session: Session, charges: Sequence[Charge | Unreadable]) -> Found:
    """Compare charges of the provider's that carry a Prorata order's metadata with our attempts."""
    known = numbers(session, (charge.order_id for charge in charges))
    refs = [charge.ref for charge in charges]
    attempts = {row.ref: row for row in session.scalars(select(ChargeAttempt).where(ChargeAttempt.ref.in_(refs)))}
    for charge in charges:
        row = attempts.get(charge.ref) or _attempt_without(session, charge)
        back = 0 if charge.order_id in known else _went_back_minor(charge)
        if not _agree(session, charge, row, back):
            taken, written = _taken(charge, back), NOTHING if row is None else told(row)
            yield from differs(Check.CHARGE, where(charge.order_id, known), f"charge {charge.ref}", taken, written)


def check_missing_charges(
    since: datetime, until: datetime, seen: Container[str | None], say: Callable[[str], None]
) -> Found:
    """Attempts recorded as taken in that range whose charge was not `seen`. Usually the provider dates it just outside the range, so each is looked up."""
    columns = (
        *(ChargeAttempt.order_id, ChargeAttempt.ref, ChargeAttempt.status),
        *(ChargeAttempt.amount_minor, ChargeAttempt.currency),
    )
    taken = select(*columns).where(
        ChargeAttempt.created_at >= since,
        ChargeAttempt.created_at < until,
        ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    )
    with begin() as session:
        missing = unseen(session, taken, seen)
        known = numbers(session, (row.order_id for row in missing))
    for done, row in enumerate(missing, start=1):
        say(f"looking up charge {done} of {len(missing)} that were not listed")
        if not _stands(row.ref):
            yield from differs(Check.CHARGE, where(row.order_id, known), f"charge {row.ref}", NOTHING, told(row))


def _attempt_without(session: Session, charge: Charge | Unreadable) -> ChargeAttempt | None:
    """Our row for a charge that none of them names. None if the attempt has another charge already: two charges for one attempt are one too many."""
    attempt = session.get(ChargeAttempt, (charge.order_id, charge.attempt))
    return attempt if attempt is None or attempt.ref in (None, charge.ref) else None


def _agree(session: Session, charge: Charge | Unreadable, row: ChargeAttempt | None, back_minor: int) -> bool:
    """A charge that took no money may have several statuses; one that took some, only as taken, unless we know that it went back.

    back_minor: how much of it the provider refunded, if its order is not here: once that is all, nothing is left to do.
    """
    if isinstance(charge, Unreadable):
        return False
    if row is None:
        return charge.status not in TAKES or 0 < charge.amount_minor <= back_minor
    took, written = charge.status is ChargeStatus.SUCCEEDED, row.status is AttemptStatus.SUCCEEDED
    if not took and not written:
        return True
    same_sum = (charge.amount_minor, charge.currency) == (row.amount_minor, row.currency)
    return same_sum and (took == written or (took and _went_back(session, row)))


def _went_back(session: Session, row: ChargeAttempt) -> bool:
    back = select(RefundAttempt.key).where(
        RefundAttempt.order_id == row.order_id,
        RefundAttempt.charge_attempt == row.attempt,
        RefundAttempt.status == RefundState.SUCCEEDED,
    )
    return session.scalar(back) is not None or _is_at_bank(session, row)


def _is_at_bank(session: Session, row: ChargeAttempt) -> bool:
    """Whether the customer's bank has taken back a charge that its order had no use for, or what others had left of it."""
    if not refunded.is_unexpected(session, row):
        return False
    about = OrderEvent.kind.in_(DISPUTED)
    noted = session.scalars(
        select(OrderEvent).where(OrderEvent.order_id == row.order_id, about).order_by(OrderEvent.id)
    )
    taken = [facts for facts in disputes.latest(noted, row.attempt) if facts["status"] in TAKEN_BACK]
    at_bank: int = sum(facts["amount_minor"] for facts in taken if facts["currency"] == row.currency)
    return at_bank > 0 and at_bank + refunds_elsewhere.sum_minor(session, row.order_id, row.attempt) >= row.amount_minor


def _stands(ref: str | None) -> bool:
    try:
        return ref is not None and payments().retrieve_charge(ref).status is ChargeStatus.SUCCEEDED
    except Misconfigured:  # the provider has no charge with this id
        return False


def _went_back_minor(charge: Charge | Unreadable) -> int:
    return charge.refunded_minor if isinstance(charge, Charge) else 0


def _taken(charge: Charge | Unreadable, back_minor: int) -> str:
    back = f", of which {back_minor} went back" if back_minor else ""
    return f"{told(charge)}{back}"
