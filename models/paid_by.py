"""Which orders' charges paid for a period: its own order's, and those of the periods that were credited to it, from change to change."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, Double, Select, and_, cast, func, select
from sqlalchemy.orm import Session, aliased

from models.orders import OrderLine
from models.subscriptions import SubscriptionPeriod

_LEFT: Final = 0.5
"""minor units of a charge below which nothing of it is left, so that chains of changes end"""


def one_period() -> CTE:
    """What paid for the statement's `SubscriptionPeriod`: order, subscription, and the share of what that order charged for it that is `left` in this one.

    What was charged nothing nobody has paid for.
    """
    whole = cast(1, Double).label("left")
    own = select(SubscriptionPeriod.order_id, SubscriptionPeriod.subscription_id, whole)
    return _followed_back(own.where(SubscriptionPeriod.charged_minor > 0).correlate(SubscriptionPeriod), nesting=True)


def shares(session: Session, order_id: UUID) -> Mapping[UUID, float]:
    """By order, the share of its charge, at most, that paid for what an order keeps of what it charged: no later change has credited that."""
    credited = func.coalesce(SubscriptionPeriod.unused_minor, 0)
    kept = cast(1 - 1.0 * credited / SubscriptionPeriod.charged_minor, Double).label("left")
    own = select(SubscriptionPeriod.order_id, SubscriptionPeriod.subscription_id, kept)
    of_order = own.where(SubscriptionPeriod.order_id == order_id, SubscriptionPeriod.charged_minor > 0)
    paying = _followed_back(of_order, nesting=False)
    found = session.execute(select(paying.c.order_id, func.max(paying.c.left)).group_by(paying.c.order_id))
    return dict(found.all())


def _followed_back(own: Select[UUID, UUID, float], *, nesting: bool) -> CTE:
    """From change to change, while half a minor unit of what a period was charged is left."""
    line, earlier = aliased(OrderLine), aliased(SubscriptionPeriod)
    paying = own.cte("paying", recursive=True, nesting=nesting)
    begun_by = and_(line.order_id == paying.c.order_id, line.subscription_id == paying.c.subscription_id)
    credited = (
        select(earlier.order_id, earlier.subscription_id, paying.c.left * earlier.unused_minor / earlier.charged_minor)
        .join_from(paying, line, begun_by)
        .join(earlier, earlier.id == line.from_period_id)
        .where(earlier.charged_minor > 0, paying.c.left * earlier.unused_minor >= _LEFT)
    )
    return paying.union_all(credited)
