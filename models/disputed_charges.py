"""Whether the customer's bank has taken back what an order was charged, as its timeline tells (`tasks.refunds.disputes` writes it)."""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, SQLColumnExpression, exists, or_, select
from sqlalchemy.orm import Session, aliased

from models.orders import OrderEvent
from models.payments import ChargeAttempt
from models.states import AttemptStatus
from models.timeline_kinds import Kind

KINDS: Final = (Kind.CHARGE_DISPUTED, Kind.DISPUTE_CLOSED)
"""of the timeline entries about a dispute"""
TAKEN: Final = ("chargeback", "lost")
"""the entries' statuses in which the bank, or the customer, has the money"""

_noted, _later = aliased(OrderEvent), aliased(OrderEvent)


def _is_about_a_dispute(entry: type[OrderEvent]) -> ColumnElement[bool]:
    return or_(*(entry.kind == kind for kind in KINDS))


def is_taken_back(order_id: UUID | SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """Whether the newest entry about a dispute of the charge that paid for the order says that we do not have the money."""
    came_later = exists().where(
        _later.order_id == _noted.order_id,
        _later.id > _noted.id,
        _is_about_a_dispute(_later),
        _later.facts["dispute"].astext == _noted.facts["dispute"].astext,
    )
    paid_for_it = exists().where(
        ChargeAttempt.order_id == _noted.order_id,
        ChargeAttempt.attempt == _noted.facts["attempt"].astext.cast(Integer),
        ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    )
    return exists().where(
        _noted.order_id == order_id,
        _is_about_a_dispute(_noted),
        or_(*(_noted.facts["status"].astext == status for status in TAKEN)),
        ~came_later,
        paid_for_it,
    )


def was_taken_back(session: Session, order_id: UUID) -> bool:
    """`is_taken_back`, of one order."""
    return bool(session.scalar(select(is_taken_back(order_id))))
