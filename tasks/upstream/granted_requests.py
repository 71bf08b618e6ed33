"""Requests that were accepted before, as recorded on the order's timeline. A request repeated after a lost answer gets the same answer,
and nothing is done twice."""

import hashlib
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.orders import OrderEvent
from models.timeline_kinds import Kind


def confirmation_facts(quote_id: UUID) -> dict[str, str]:
    """For the timeline: this fresh quote was accepted, which began the order's revision."""
    return {"quote_id": str(quote_id)}


def payment_details_facts(token: str | None) -> dict[str, str]:
    """For the timeline: the payment method of this token was given; without one, the account's details as they were then."""
    return {"given": "as they are" if token is None else hashlib.sha256(token.encode()).hexdigest()[:32]}


def was_granted(session: Session, order_id: UUID, what: Mapping[str, str], *, since_event: int = 0) -> bool:
    """Whether this same request has continued the order before. since_event: only timeline entries with a higher id count."""
    return _noted(session, order_id, Kind.ORDER_REOPENED, OrderEvent.facts.contains(what), OrderEvent.id > since_event)


def cancellation_was_requested(session: Session, order_id: UUID) -> bool:
    """Whether cancellation was requested while the order could still be cancelled."""
    return _noted(session, order_id, Kind.ORDER_CANCEL_REQUESTED)


def newest_entry(session: Session, order_id: UUID) -> int:
    """The id of the newest entry on the order's timeline, 0 if there is none."""
    return session.scalar(select(func.max(OrderEvent.id)).where(OrderEvent.order_id == order_id)) or 0


def _noted(session: Session, order_id: UUID, kind: str, *conditions: ColumnElement[bool]) -> bool:
    entry = select(OrderEvent.id).where(OrderEvent.order_id == order_id, OrderEvent.kind == kind, *conditions)
    return session.scalar(entry.limit(1)) is not None
