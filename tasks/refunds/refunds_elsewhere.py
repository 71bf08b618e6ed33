"""Records refunds made at the provider without us, in its Dashboard for example, once each on the order's timeline, by the provider's id.

They are recorded when an event reports them, or when a refund of ours turns out to consist of them, whichever is first. Likewise those that
we made and that a restored database has forgotten, under kinds of their own; they count alike, because the customer has the money.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.account_lock import lock_account
from models.orders import Order, OrderEvent
from models.payments import RefundAttempt
from models.states import RefundState
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind
from tasks.ports import Refund, RefundStatus, Unreadable

log = structlog.get_logger(__name__)

_ELSEWHERE: Final = (Kind.REFUND_ELSEWHERE, Kind.REFUND_ELSEWHERE_FAILED)
_FORGOTTEN: Final = (Kind.REFUND_UNKNOWN, Kind.REFUND_UNKNOWN_FAILED)


def note(session: Session, order_id: UUID, charge_attempt: int, refunds: Sequence[Refund]) -> None:
    """Record those of a charge's `refunds` that we did not make, or have forgotten, for a person to see. The caller has locked the order's row.

    What is new is noted under the account's lock: a change that is being activated either knows of it, or comes before it in `order_events`.

    As with our own, a pending one counts as made; if it fails later, that is recorded, too.
    """
    ours = session.scalars(select(RefundAttempt).where(RefundAttempt.order_id == order_id)).all()
    known = {row.attempt for row in ours}
    for refund in _not_ours(ours, refunds):
        is_forgotten = is_by_us(order_id, refund) and refund.attempt not in known
        made, failed = _FORGOTTEN if is_forgotten else _ELSEWHERE
        if not has_gone(session, order_id, refund.ref):
            lock_account(session, session.get_one(Order, order_id).account_id)
            _note(session, order_id, made, charge_attempt, refund)
        if refund.status is RefundStatus.FAILED and not has_failed(session, order_id, refund.ref):
            _note(session, order_id, failed, charge_attempt, refund)


def is_by_us(order_id: UUID, refund: Refund | Unreadable) -> bool:
    """Whether the refund of a charge of this order was requested by Prorata, as the provider's metadata say: a restored database may have forgotten it."""
    return refund.order_id == order_id and refund.attempt is not None


def has_gone(session: Session, order_id: UUID, ref: str) -> bool:
    """Whether it is noted that the refund was made. An earlier release noted one of ours as made elsewhere."""
    return any(timeline.is_noted(session, order_id, kind, {"refund": ref}) for kind in WENT_BACK)


def has_failed(session: Session, order_id: UUID, ref: str) -> bool:
    """Whether it is noted that the refund failed later."""
    return any(timeline.is_noted(session, order_id, kind, {"refund": ref}) for kind in CAME_BACK)


def stands(session: Session, order_id: UUID, ref: str) -> bool:
    """Whether it is noted that the refund was made, and not that it failed later."""
    return has_gone(session, order_id, ref) and not has_failed(session, order_id, ref)


def sum_minor(session: Session, order_id: UUID, charge_attempt: int) -> int:
    """How much of a charge went back without us, or without a row here, as far as it is noted, and did not fail later.

    One that became a refund of ours does not count: whether it failed is recorded there. Nor does an entry without an amount, which
    `prorata ledger verify` names.
    """
    sign = dict.fromkeys(WENT_BACK, 1) | dict.fromkeys(CAME_BACK, -1)
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


def _not_ours(ours: Sequence[RefundAttempt], refunds: Sequence[Refund]) -> list[Refund]:
    refs = {row.ref for row in ours}
    unanswered = {row.attempt for row in ours if row.ref is None and row.status is not RefundState.SUCCEEDED}
    return [refund for refund in refunds if refund.ref not in refs and refund.attempt not in unanswered]


def _note(session: Session, order_id: UUID, kind: Kind, charge_attempt: int, refund: Refund) -> None:
    facts = {"attempt": charge_attempt, "refund": refund.ref, "amount_minor": refund.amount_minor}
    timeline.note(session, order_id, kind, facts)
    if kind in _FORGOTTEN:
        log.warning("refund of an attempt that is not known", order_id=str(order_id), noted=kind, refund=refund.ref)
    else:
        log.error("refund that is none of ours", order_id=str(order_id), noted=kind, refund=refund.ref)
