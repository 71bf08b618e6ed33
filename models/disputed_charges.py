"""Whether the customer's bank has taken back what an order, or a period, was paid with, as timelines tell (`tasks.refunds.disputes` writes them)."""

from uuid import UUID

from sqlalchemy import ColumnElement, Integer, SQLColumnExpression, and_, case, exists, false, or_, select
from sqlalchemy.orm import Session, aliased

from models import paid_by
from models.orders import OrderEvent
from models.payments import ChargeAttempt
from models.states import TAKEN_BACK, AttemptStatus
from models.timeline_kinds import DISPUTED, Kind

_noted, _later = aliased(OrderEvent), aliased(OrderEvent)


def _is_about_a_dispute(entry: type[OrderEvent]) -> ColumnElement[bool]:
    return or_(*(entry.kind == kind for kind in DISPUTED))


def is_taken_back(order_id: UUID | SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """Whether the newest entry about a dispute of the charge that paid for the order says that we do not have the money, and no person has settled it."""
    outdated = exists().where(
        _later.order_id == _noted.order_id,
        or_(and_(_later.id > _noted.id, _is_about_a_dispute(_later)), _later.kind == Kind.DISPUTE_SETTLED),
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
        or_(*(_noted.facts["status"].astext == status for status in TAKEN_BACK)),
        ~outdated,
        paid_for_it,
    )


def was_taken_back(session: Session, order_id: UUID) -> bool:
    """`is_taken_back`, of one order."""
    return bool(session.scalar(select(is_taken_back(order_id))))


def is_paid_with_taken() -> ColumnElement[bool]:
    """Whether the bank has taken back what paid for the statement's `SubscriptionPeriod`: its own order's charge, or that of a period that was credited to it."""
    paying = paid_by.one_period()
    is_taken = exists().where(is_taken_back(paying.c.order_id)).select_from(paying)
    return case((paid_by.was_touched(), is_taken), else_=false())  # CASE, as AND may ask both
