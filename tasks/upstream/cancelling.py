"""Requests the cancellation of an order.

An order that waits is cancelled at once. One whose chain is running goes on until a step sees the request (`tasks.cancellation`).
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import timeline, waiting_orders
from models.orders import Order
from models.rules.timezone import utc
from models.states import AFTER_ACTIVATION, BACK, FINAL, WAITS_WITHOUT_A_CHARGE, OrderStatus, Step
from models.timeline_kinds import Kind
from tasks.cancellation import BY_CUSTOMER
from tasks.upstream import granted_requests
from tasks.upstream.request import RequestRefused, locked_order


def cancel(
    session: Session, *, order_id: UUID, by: str, now: datetime, why: str | None = None, reason: str = BY_CUSTOMER
) -> OrderStatus:
    """Cancel the order; what was charged is refunded. Returns its status afterwards.

    - cancelled before: cancelled
    - waiting for the customer, with no charge under way: cancelled at once
    - requested before: its status now
    - ended, active, or parked while it is being undone: RequestRefused too-late; no such order: unknown-order
    - open, awaiting authentication, or parked for a person: open, until its chain sees the request and cancels or refunds it

    by, why: who asked and what for, for the timeline. reason: what the customer is told, `BY_CUSTOMER` or `BY_US`. now: when it was
    asked for, not cut to whole seconds; an aware datetime.
    """
    now = utc("now", now)
    order = locked_order(session, order_id)
    asked = {"by": by, **({"why": why} if why else {})}
    if order.status is OrderStatus.CANCELLED:
        return order.status
    if order.status in WAITS_WITHOUT_A_CHARGE:
        _cancel_waiting(session, order, asked, reason=reason)
        return OrderStatus.CANCELLED
    if _requested_before(session, order):
        return order.status
    _refuse_if_too_late(order)
    _request_cancellation(session, order, asked, now=now, reason=reason)
    return OrderStatus.OPEN


def _cancel_waiting(session: Session, order: Order, asked: Mapping[str, str], *, reason: str) -> None:
    if "why" in asked:  # the entry for its end says who asked, not why
        timeline.note(session, order.id, Kind.ORDER_CANCEL_REQUESTED, asked)
    waiting_orders.cancel(session, order, reason=reason, by=asked["by"])


def _requested_before(session: Session, order: Order) -> bool:
    """Whether cancellation was requested. That does not count if the order was parked on its way forward: the next request restarts it."""
    parked_forward = order.status is OrderStatus.NEEDS_ATTENTION and order.next_step not in BACK
    return not parked_forward and granted_requests.cancellation_was_requested(session, order.id)


def _refuse_if_too_late(order: Order) -> None:
    if why := _why_too_late(order):
        raise RequestRefused("too-late", why, order_status=order.status)


def _why_too_late(order: Order) -> str | None:
    if order.status in FINAL:
        return f"The order can no longer be cancelled: it is {order.status}."
    if order.next_step in AFTER_ACTIVATION:
        return "The order can no longer be cancelled: what it bought is active."
    if order.status is OrderStatus.NEEDS_ATTENTION and order.next_step in BACK:
        return "The order is being undone already, and our team is looking after its refund."
    return None


def _request_cancellation(
    session: Session, order: Order, asked: Mapping[str, str], *, now: datetime, reason: str
) -> None:
    """Leave the cancellation to the order's chain. An order that is being undone anyway only gets the timeline entry."""
    timeline.note(session, order.id, Kind.ORDER_CANCEL_REQUESTED, asked)
    if order.next_step in BACK:
        return
    if order.cancel_requested_at is None:  # the customer is told the first request's reason
        asked_for = {"cancel_requested_at": now, "cancel_reason": reason}
        session.execute(update(Order).where(Order.id == order.id).values(**asked_for))
    stopped = (OrderStatus.AWAITING_AUTHENTICATION, OrderStatus.NEEDS_ATTENTION)
    step = order.next_step or Step.COLLECT_PAYMENT
    waiting_orders.reopen(session, order.id, out_of=stopped, step=step, why="cancel")
