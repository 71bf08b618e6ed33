"""Records refunds made at the provider without us, in its Dashboard for example, once each on the order's timeline, by the provider's id.

They are recorded when an event reports them, or when a refund of ours turns out to consist of them, whichever is first.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.orders import OrderEvent
from models.payments import RefundAttempt
from models.states import RefundState
from models.timeline_kinds import Kind
from tasks.ports import Refund, RefundStatus, Unreadable

log = structlog.get_logger(__name__)


def note(session: Session, order_id: UUID, charge_attempt: int, refunds: Sequence[Refund]) -> None:
    """Record those of a charge's `refunds` that we did not make, for a person to see. The caller has locked the order's row.

    As with our own, a pending one counts as made; if it fails later, that is recorded, too.
    """
    for refund in _not_ours(session, order_id, refunds):
        _note_once(session, order_id, Kind.REFUND_ELSEWHERE, charge_attempt, refund)
        if refund.status is RefundStatus.FAILED:
            _note_once(session, order_id, Kind.REFUND_ELSEWHERE_FAILED, charge_attempt, refund)


def is_by_us(order_id: UUID, refund: Refund | Unreadable) -> bool:
    """Whether the refund of a charge of this order was requested by Prorata, as the provider's metadata say: a restored database may have forgotten it."""
    return refund.order_id == order_id and refund.attempt is not None


def is_noted(session: Session, order_id: UUID, ref: str, kind: Kind = Kind.REFUND_ELSEWHERE) -> bool:
    return timeline.is_noted(session, order_id, kind, {"refund": ref})


def sum_minor(session: Session, order_id: UUID, charge_attempt: int) -> int:
    """How much of a charge went back without us, as far as it is recorded, and did not fail later.

    One that became a refund of ours does not count: whether it failed is recorded there. Nor does an entry without an amount, which
    `prorata ledger verify` names.
    """
    sign = {Kind.REFUND_ELSEWHERE: 1, Kind.REFUND_ELSEWHERE_FAILED: -1}
    notes = select(OrderEvent.kind, OrderEvent.facts).where(
        OrderEvent.order_id == order_id,
        OrderEvent.kind.in_(list(sign)),
        OrderEvent.facts.contains({"attempt": charge_attempt}),
    )
    ours = set(session.scalars(select(RefundAttempt.ref).where(RefundAttempt.order_id == order_id)))
    return sum(
        sign[kind] * facts.get("amount_minor", 0)
        for kind, facts in session.execute(notes)
        if facts.get("refund") not in ours
    )


def _not_ours(session: Session, order_id: UUID, refunds: Sequence[Refund]) -> list[Refund]:
    ours = session.scalars(select(RefundAttempt).where(RefundAttempt.order_id == order_id)).all()
    refs = {row.ref for row in ours}
    unanswered = {row.attempt for row in ours if row.ref is None and row.status is not RefundState.SUCCEEDED}
    return [refund for refund in refunds if refund.ref not in refs and refund.attempt not in unanswered]


def _note_once(session: Session, order_id: UUID, kind: Kind, charge_attempt: int, refund: Refund) -> None:
    facts = {"attempt": charge_attempt, "refund": refund.ref, "amount_minor": refund.amount_minor}
    if timeline.note_once(session, order_id, kind, facts, known_by={"refund": refund.ref}):
        log.error("refund that is none of ours", order_id=str(order_id), noted=kind, refund=refund.ref)
