"""Disputes: each status must be noted, and what the customer's bank has taken back for good must not count as ours."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.payments import ChargeAttempt
from models.states import AttemptStatus, DisputeStatus
from models.timeline_kinds import Kind
from tasks.ledger_check.differences import Check, Found, differs
from tasks.ports import Dispute
from tasks.reconciliation.words import NOTHING, numbers, told, where
from tasks.refunds import contested, disputes, refunded


def check_disputes(session: Session, found: Sequence[tuple[Dispute, UUID]]) -> Found:
    """found: disputes, each with the id of the order that was charged."""
    known = numbers(session, (order_id for _, order_id in found))
    for listed, order_id in found:
        [dispute] = contested.whole_if_lost_anew(session, order_id, [listed])
        noted = disputes.is_noted(session, order_id, dispute)
        counted = dispute.status is DisputeStatus.LOST and _counts(session, dispute)
        if not noted or counted:
            written = f"noted as {dispute.status}, but counted as taken" if noted else NOTHING
            yield from differs(Check.CHARGE, where(order_id, known), f"dispute {dispute.ref}", told(dispute), written)


def _counts(session: Session, dispute: Dispute) -> bool:
    """Whether the money of the disputed charge counts as ours, though no person has settled the dispute."""
    charge = session.scalar(
        select(ChargeAttempt).where(
            ChargeAttempt.ref == dispute.charge_ref, ChargeAttempt.status == AttemptStatus.SUCCEEDED
        )
    )
    if charge is None or refunded.is_refunded(session, charge):
        return False
    return not timeline.is_noted(session, charge.order_id, Kind.DISPUTE_SETTLED, {"dispute": dispute.ref})
