"""The lease under which a worker's steps work on an order. The first step of a delivery claims the order, if it is that step's turn
and nobody else holds a lease, and gets a fencing token; the later steps in the same process go on under the same token.

A step may write only while the order still carries its token. A worker that was paused beyond its lease finds another worker's token
when it wakes: LeaseLost is raised and its transaction rolled back. Leases use the database's clock, so that machines need not agree on the time.

Every order passes through here several times, so the statements are built once, which halves their cost.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Uuid, bindparam, case, func, or_, select, text, tuple_, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.orm.attributes import set_committed_value

from models import order_cache
from models.base import uuid7
from models.orders import NOT_ENDED, Order, OrderLine
from models.prepared import Prepared
from models.states import OrderStatus, Step

GRACE = timedelta(seconds=8)
"""How long an order without a lease may stand still before the sweep restarts it."""

FARTHEST = timedelta(minutes=15)
"""Further ahead than any lease, or any wait of an open order, may end: one that does was written before the database's clock was set back."""


class LeaseLost(Exception):
    """Another worker has taken the order over; this one may no longer write anything to it."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"order {order_id} was taken over by another worker")


def is_over() -> ColumnElement[bool]:
    """Whether the order has no lease, or one that has expired."""
    return or_(Order.lease_until.is_(None), Order.lease_until < func.clock_timestamp())


def db_now(later: timedelta) -> ColumnElement[datetime]:
    """The database's clock plus `later`."""
    return func.clock_timestamp() + later


_LEASE_ENDS: ColumnElement[datetime] = func.clock_timestamp() + bindparam("lease", type_=Interval)

_CLAIMED = (
    update(Order)
    .where(
        Order.id == bindparam("order_id"),
        Order.status == OrderStatus.OPEN,
        Order.next_step == bindparam("turn_of", type_=Order.next_step.type),
        or_(is_over(), Order.lease_token == bindparam("held", type_=Uuid)),
        or_(Order.next_attempt_at.is_(None), Order.next_attempt_at <= func.clock_timestamp()),
    )
    .values(
        lease_token=bindparam("token", type_=Uuid),
        lease_until=_LEASE_ENDS,
        wake_at=func.coalesce(Order.wake_at, _LEASE_ENDS),  # unchanged if set, so that the update touches no index
        attempts=Order.attempts + 1,
        next_attempt_at=None,
    )
    .returning(*Order.__table__.c)
    .cte("claimed")
)
_AS_CLAIMED = aliased(Order, _CLAIMED)
_CLAIM = Prepared[Order, OrderLine | None](
    select(_AS_CLAIMED, OrderLine)
    .outerjoin(OrderLine, OrderLine.order_id == _AS_CLAIMED.id)
    .order_by(OrderLine.position),
    Order,
    OrderLine,
)

_LOCK_IF_OURS = Prepared[datetime | None](
    select(Order.cancel_requested_at)
    .where(
        Order.id == bindparam("order_id"),
        Order.lease_token == bindparam("token", type_=Uuid),
        Order.next_step == bindparam("turn_of", type_=Order.next_step.type),
    )
    .with_for_update()
)


_LOCKED = "models.lease.locked"


def remember_locked(session: Session, order_id: UUID) -> None:
    """Remember that `session` locked the order's row and found our lease: nobody can take it until the transaction ends."""
    session.info.setdefault(_LOCKED, set()).add(order_id)


def claim(session: Session, order_id: UUID, step: Step, *, lease: timedelta, held: UUID | None = None) -> Order | None:
    """Take a lease on the order for `step`, if it is that step's turn and nobody else holds it; else None (see `progress.status_and_step`).

    held: the token of a lease that we hold already and may replace.
    """
    params = {"order_id": order_id, "turn_of": step, "token": uuid7(), "lease": lease, "held": held}
    rows = _CLAIM.all(session, params)
    if not rows:
        return None
    claimed = rows[0][0]
    order_cache.keep_lines(claimed, [line for _, line in rows if line is not None])
    remember_locked(session, order_id)
    return claimed


def renew(session: Session, held: Mapping[UUID, UUID], *, lease: timedelta) -> None:
    """Extend the leases in `held` (order -> token) that are still ours, in one statement.

    An order whose row is locked is skipped: while this waited for one lock, all other leases would run out.
    """
    ours = tuple_(Order.id, Order.lease_token).in_(list(held.items()))
    free = select(Order.id).where(ours).with_for_update(skip_locked=True)
    session.execute(
        update(Order)
        .where(Order.id.in_(free))
        .values(lease_until=db_now(lease), wake_at=db_now(lease))
        .execution_options(synchronize_session=False)
    )


def cut_back(session: Session, *, lease: timedelta, at_most: int) -> int:
    """Of open orders end leases, waits and retry delays now that end beyond `FARTHEST`, with the usual patience; returns of how many orders.

    A worker that is alive renews its lease in this time. An order whose row is locked is skipped: the next sweep finds it.
    """
    too_far = db_now(FARTHEST)
    found = (
        select(Order.id)
        .where(
            text(NOT_ENDED), Order.status == OrderStatus.OPEN, or_(Order.wake_at > too_far, Order.lease_until > too_far)
        )
        .limit(at_most)
        .with_for_update(skip_locked=True)
    )
    ends = {Order.wake_at: db_now(GRACE), Order.lease_until: db_now(lease), Order.next_attempt_at: db_now(timedelta())}
    cut = (
        update(Order)
        .where(Order.id.in_(found))
        .values({column: case((column > too_far, end), else_=column) for column, end in ends.items()})
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(cut).all())


def require_ours(session: Session, order: Order) -> None:
    """Lock the order, make sure that it is still at this step under our lease, and read whether it is to be cancelled. Raises LeaseLost."""
    if order.id in session.info.get(_LOCKED, ()):
        return
    params = {"order_id": order.id, "token": order.lease_token, "turn_of": order.next_step}
    row = _LOCK_IF_OURS.one_or_none(session, params)
    if row is None:
        raise LeaseLost(order.id)
    set_committed_value(order, "cancel_requested_at", row[0])
    remember_locked(session, order.id)
