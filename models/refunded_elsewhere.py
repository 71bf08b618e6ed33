"""How much of what a period was paid with went back without a row here, mostly by the provider's dashboard, as timelines tell (`tasks.refunds.refunds_elsewhere` writes them)."""

from collections.abc import Sequence

from sqlalchemy import CTE, BigInteger, ColumnElement, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import aliased

from models import paid_by
from models.orders import OrderEvent, OrderLine
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus, Step
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind

_note, _activated = aliased(OrderEvent), aliased(OrderEvent)


def _of_charge(paying: CTE) -> ColumnElement[int]:
    """Of the charge that paid for the order in `paying`, as `refunds_elsewhere.sum_minor`: what failed later does not count, nor what became a refund of ours.

    Of the statement's `SubscriptionPeriod` all counts that went back of its own order's charge, and of an earlier one what went back since
    it began: the change that began it was credited no more than remained paid by then.
    """
    amount = _note.facts["amount_minor"].astext.cast(BigInteger)
    is_ours = exists().where(
        RefundAttempt.order_id == _note.order_id, RefundAttempt.ref == _note.facts["refund"].astext
    )
    paid_for_it = and_(
        ChargeAttempt.order_id == _note.order_id,
        ChargeAttempt.attempt == _note.facts["attempt"].astext.cast(BigInteger),
        ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    )
    began = (
        select(func.coalesce(func.max(_activated.id), 0))
        .where(
            _activated.order_id == SubscriptionPeriod.order_id, _activated.kind == f"{Step.ACTIVATE_SUBSCRIPTION}.done"
        )
        .correlate(SubscriptionPeriod)
        .scalar_subquery()
    )
    went_back = func.sum(case((_is_any(WENT_BACK), amount), else_=-amount))
    return (
        # Less than nothing, if one from before failed since.
        select(func.greatest(went_back, 0))
        .join(ChargeAttempt, paid_for_it)
        .where(
            _note.order_id == paying.c.order_id,
            _is_any((*WENT_BACK, *CAME_BACK)),
            ~is_ours,
            or_(paying.c.order_id == SubscriptionPeriod.order_id, _note.id > began),
        )
        .correlate(paying, SubscriptionPeriod)
        .scalar_subquery()
    )


def _is_any(kinds: Sequence[Kind]) -> ColumnElement[bool]:
    return or_(*(_note.kind == kind for kind in kinds))


def of_period() -> ColumnElement[int]:
    """Of what paid for the statement's `SubscriptionPeriod`: of each charge, the share that is left in this period, at most."""
    paying = paid_by.one_period()
    total = func.sum(paying.c.left * _of_charge(paying))
    return select(func.coalesce(cast(func.ceil(total), BigInteger), 0)).select_from(paying).scalar_subquery()


def is_credited() -> ColumnElement[bool]:
    """Whether the statement's `OrderLine` credits more of its `SubscriptionPeriod` than remains paid: see `RunningPeriod.remains_paid_minor`."""
    credit = OrderLine.unused_minor + OrderLine.unused_tax_minor
    paid = SubscriptionPeriod.charged_minor + SubscriptionPeriod.tax_minor
    return and_(credit > 0, credit > paid - of_period())
