"""Which orders' charges paid for a period: its own order's, and those of the periods that were credited to it, from change to change."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Numeric, Select, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models.orders import OrderEvent, OrderLine
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, DISPUTED, WENT_BACK

_WHOLE: Final = cast(1, Numeric)


def was_touched() -> ColumnElement[bool]:
    """Whether any timeline tells of money that went back, or was disputed, of what paid for the statement's `SubscriptionPeriod`.

    Ask this first: of nearly all periods none does, and following a chain of changes back takes ten times as long. It looks at all orders
    of the subscription, as a change is credited a period of its own subscription only.
    """
    period, entry = aliased(SubscriptionPeriod), aliased(OrderEvent)
    of_it = exists().where(
        period.subscription_id == SubscriptionPeriod.subscription_id,
        entry.order_id == period.order_id,
        or_(*(entry.kind == kind for kind in (*DISPUTED, *WENT_BACK, *CAME_BACK))),
    )
    return of_it.correlate(SubscriptionPeriod)


def one_period() -> CTE:
    """What paid for the statement's `SubscriptionPeriod`: order, subscription, and the share of what that order charged for it that is left in this one, as `left` of `whole`.

    What was charged nothing nobody has paid for.
    """
    own = select(
        SubscriptionPeriod.order_id, SubscriptionPeriod.subscription_id, _WHOLE.label("left"), _WHOLE.label("whole")
    )
    return _followed_back(own.where(SubscriptionPeriod.charged_minor > 0).correlate(SubscriptionPeriod), nesting=True)


def shares(session: Session, order_id: UUID) -> Mapping[UUID, Fraction]:
    """By order, the share of its charge, at most, that paid for what an order keeps of what it charged: no later change has credited that."""
    kept = SubscriptionPeriod.charged_minor - func.coalesce(SubscriptionPeriod.unused_minor, 0)
    own = select(
        SubscriptionPeriod.order_id,
        SubscriptionPeriod.subscription_id,
        cast(kept, Numeric).label("left"),
        cast(SubscriptionPeriod.charged_minor, Numeric).label("whole"),
    )
    of_order = own.where(SubscriptionPeriod.order_id == order_id, SubscriptionPeriod.charged_minor > 0)
    paying = _followed_back(of_order, nesting=False)
    found: dict[UUID, Fraction] = {}
    for paid_by, left, whole in session.execute(select(paying.c.order_id, paying.c.left, paying.c.whole)):
        found[paid_by] = max(found.get(paid_by, Fraction(0)), Fraction(left) / Fraction(whole))
    return found


def _followed_back(own: Select[UUID, UUID, Decimal, Decimal], *, nesting: bool) -> CTE:
    """From change to change, while half a minor unit of what a period was charged is left, so that chains of changes end."""
    line, earlier = aliased(OrderLine), aliased(SubscriptionPeriod)
    paying = own.cte("paying", recursive=True, nesting=nesting)
    begun_by = and_(line.order_id == paying.c.order_id, line.subscription_id == paying.c.subscription_id)
    left = paying.c.left * earlier.unused_minor
    credited = (
        select(earlier.order_id, earlier.subscription_id, left, paying.c.whole * earlier.charged_minor)
        .join_from(paying, line, begun_by)
        .join(earlier, earlier.id == line.from_period_id)
        .where(earlier.charged_minor > 0, 2 * left >= paying.c.whole)
    )
    return paying.union_all(credited)
