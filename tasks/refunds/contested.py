"""Disputes that were contested after a decision, and lost anew: the provider does not list that the bank took again what it had put back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from models.orders import OrderEvent
from models.states import DisputeStatus
from models.timeline_kinds import DISPUTED
from tasks.ports import Dispute


def whole_if_lost_anew(session: Session, order_id: UUID, found: Sequence[Dispute]) -> list[Dispute]:
    """All that is disputed counts of one that is lost, if as much was lost before it was contested: what the provider lists has not changed, and tells nothing.

    Whoever has all from the bank must not be paid a part of it.
    """
    return [replace(each, amount_minor=_amount_minor(session, order_id, each)) for each in found]


def _amount_minor(session: Session, order_id: UUID, dispute: Dispute) -> int:
    """The amount with which it was contested, if that is noted, and what was decided before."""
    if dispute.status is not DisputeStatus.LOST:
        return dispute.amount_minor
    lost, amount_minor = False, dispute.amount_minor
    for facts in session.scalars(entries(order_id, dispute).order_by(OrderEvent.id)):
        lost = lost or (facts.get("status"), facts.get("amount_minor")) == (DisputeStatus.LOST, dispute.amount_minor)
        if lost and facts.get("status") == DisputeStatus.CHARGEBACK:
            amount_minor = max(amount_minor, facts["amount_minor"])
    return amount_minor


def entries(order_id: UUID, dispute: Dispute) -> Select[dict[str, Any]]:
    """The facts of each entry about it on the order's timeline."""
    about = OrderEvent.order_id == order_id, OrderEvent.kind.in_(DISPUTED)
    return select(OrderEvent.facts).where(*about, OrderEvent.facts.contains({"dispute": dispute.ref}))
