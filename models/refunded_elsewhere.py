"""How much of what a period was paid with went back without a row here, mostly by the provider's dashboard, as timelines tell (`tasks.refunds.refunds_elsewhere` writes them)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import aliased

from models import paid_by
from models.orders import OrderEvent, OrderLine
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind

_note = aliased(OrderEvent)


def _of_charge(order_id: SQLColumnExpression[UUID]) -> ColumnElement[int]:
    """Of the charge that paid for the order, as `refunds_elsewhere.sum_minor`: what failed later does not count, nor what became a refund of ours."""
    amount = _note.facts["amount_minor"].astext.cast(BigInteger)
    is_ours = exists().where(
        RefundAttempt.order_id == _note.order_id, RefundAttempt.ref == _note.facts["refund"].astext
    )
    paid_for_it = and_(
        ChargeAttempt.order_id == _note.order_id,
        ChargeAttempt.attempt == _note.facts["attempt"].astext.cast(BigInteger),
        ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    )
    return (
        select(func.sum(case((_is_any(WENT_BACK), amount), else_=-amount)))
        .join(ChargeAttempt, paid_for_it)
        .where(
            _note.order_id == order_id,
            _is_any((*WENT_BACK, *CAME_BACK)),
            ~is_ours,
        )
        .scalar_subquery()
    )


def _is_any(kinds: Sequence[Kind]) -> ColumnElement[bool]:
    return or_(*(_note.kind == kind for kind in kinds))


def of_period() -> ColumnElement[int]:
    """Of what paid for the statement's `SubscriptionPeriod`: of each charge, the share that is left in this period, at most."""
    paying = paid_by.one_period()
    total = func.sum(paying.c.left * _of_charge(paying.c.order_id))
    return select(func.coalesce(cast(func.ceil(total), BigInteger), 0)).select_from(paying).scalar_subquery()


def is_credited() -> ColumnElement[bool]:
    """Whether the statement's `OrderLine` credits more of its `SubscriptionPeriod` than remains paid: see `RunningPeriod.remains_paid_minor`."""
    credit = OrderLine.unused_minor + OrderLine.unused_tax_minor
    paid = SubscriptionPeriod.charged_minor + SubscriptionPeriod.tax_minor
    return and_(credit > 0, credit > paid - of_period())
