"""How much of what a period was paid with went back without a row here, mostly by the provider's dashboard, as timelines tell (`tasks.refunds.refunds_elsewhere` writes them)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from models import paid_by
from models.orders import OrderEvent, OrderLine
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind

_NOTHING: Final = literal(0, BigInteger)
_note = aliased(OrderEvent)


def _of_charge(period: type[SubscriptionPeriod]) -> ColumnElement[int]:
    """Of the charge of the period's order, as `refunds_elsewhere.sum_minor`: what failed later does not count, nor what became a refund of ours."""
    amount = _note.facts["amount_minor"].astext.cast(BigInteger)
    is_ours = exists().where(
        RefundAttempt.order_id == _note.order_id, RefundAttempt.ref == _note.facts["refund"].astext
    )
    paid_for_it = and_(
        ChargeAttempt.order_id == _note.order_id,
        ChargeAttempt.attempt == _note.facts["attempt"].astext.cast(BigInteger),
        ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    )
    went_back = func.sum(case((_is_any(WENT_BACK), amount), else_=-amount))
    return (
        select(cast(func.coalesce(went_back, 0), BigInteger))
        .join(ChargeAttempt, paid_for_it)
        .where(_note.order_id == period.order_id, _is_any((*WENT_BACK, *CAME_BACK)), ~is_ours)
        .correlate(period)
        .scalar_subquery()
    )


def _is_any(kinds: Sequence[Kind]) -> ColumnElement[bool]:
    return or_(*(_note.kind == kind for kind in kinds))


def of_period() -> ColumnElement[int]:
    """Of what paid for the statement's `SubscriptionPeriod`, as far as nothing that was used bears it: what went back of its own order's charge, and what came to it.

    What counts for a period is borne first by what was used of it. What is more, up to what a change credited of it, comes to the period that this change began:

        came = min(credited, max(0, came before + refunded - used))

    So what went back before a change comes to no later period: the change was credited no more than remained paid. And as soon as all is back, so is all that was credited.
    """
    return case((paid_by.was_touched(), _of_charge(SubscriptionPeriod) + _came_to_it()), else_=_NOTHING)


def _came_to_it() -> ColumnElement[int]:
    """From change to change back in time, until nothing from before can come as far.

    What comes if `x` came to the earliest period so far: min(most, max(least, x + shift)). A period before it puts such a function of its own in for `x`.
    """
    line, earlier = aliased(OrderLine), aliased(SubscriptionPeriod)
    credited = func.coalesce(earlier.unused_minor, 0) + func.coalesce(earlier.unused_tax_minor, 0)
    used = _paid(earlier) - credited
    first = select(
        SubscriptionPeriod.order_id,
        SubscriptionPeriod.subscription_id,
        _NOTHING.label("shift"),
        _NOTHING.label("least"),
        _paid(SubscriptionPeriod).label("most"),
    ).correlate(SubscriptionPeriod)
    chain = first.cte("chain", recursive=True, nesting=True)

    def comes(x: ColumnElement[int]) -> ColumnElement[int]:
        return func.least(chain.c.most, func.greatest(chain.c.least, x + chain.c.shift))

    before = (
        select(
            *(earlier.order_id, earlier.subscription_id),
            *(chain.c.shift + _of_charge(earlier) - used, comes(_NOTHING), comes(credited)),
        )
        .join_from(
            chain, line, and_(line.order_id == chain.c.order_id, line.subscription_id == chain.c.subscription_id)
        )
        .join(earlier, earlier.id == line.from_period_id)
        .where(comes(credited) > comes(_NOTHING))
    )
    chain = chain.union_all(before)
    return select(func.max(comes(_NOTHING))).select_from(chain).scalar_subquery()


def _paid(period: type[SubscriptionPeriod]) -> ColumnElement[int]:
    return period.charged_minor + period.tax_minor


def is_credited() -> ColumnElement[bool]:
    """Whether the statement's `OrderLine` credits more of its `SubscriptionPeriod` than remains paid: see `RunningPeriod.remains_paid_minor`."""
    credit = OrderLine.unused_minor + OrderLine.unused_tax_minor
    return and_(credit > 0, credit > _paid(SubscriptionPeriod) - of_period())
