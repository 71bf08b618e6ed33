"""What was asked for about an order and granted, as its timeline keeps it: who asks the same again after a lost answer is answered, and
nothing is done twice."""

import hashlib
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.orders import OrderEvent
from models.progress import REOPENED

CANCELLATION: Final = "order.cancel_requested"


def confirmation(quote_id: UUID) -> dict[str, str]:
    """For the timeline: this fresh quote was accepted."""
    return {"quote_id": str(quote_id)}


def payment_details(token: str | None) -> dict[str, str]:
    """For the timeline: this payment method was given, or, without one, the account's own as they were then."""
    return {"given": "as they are" if token is None else hashlib.sha256(token.encode()).hexdigest()[:32]}


def before(session: Session, order_id: UUID, what: Mapping[str, str], *, after: int = 0) -> bool:
    """Whether the order went on because of exactly this. after: only entries of the timeline behind this one are looked at."""
    return _noted(session, order_id, REOPENED, OrderEvent.facts.contains(what), OrderEvent.id > after)


def cancellation(session: Session, order_id: UUID) -> bool:
    """Whether its cancellation was asked for while that could be had."""
    return _noted(session, order_id, CANCELLATION)


def newest_entry(session: Session, order_id: UUID) -> int:
    """Of the order's timeline."""
    return session.scalar(select(func.max(OrderEvent.id)).where(OrderEvent.order_id == order_id)) or 0


def _noted(session: Session, order_id: UUID, kind: str, *conditions: ColumnElement[bool]) -> bool:
    entry = select(OrderEvent.id).where(OrderEvent.order_id == order_id, OrderEvent.kind == kind, *conditions)
    return session.scalar(entry.limit(1)) is not None
