"""Looks after stalled orders. It finds them in PostgreSQL, so that nothing depends on messages that the broker lost.

One runs at a time, as two would find the same orders. Nothing else rests on that: rows are locked with SKIP LOCKED, and a restart is only one
more delivery of a guarded step.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from sqlalchemy import ColumnElement, Select, and_, false, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from models import attention, lease, timeline, waiting_orders
from models.lease import GRACE
from models.messages import OutboxMessage, record_heartbeat
from models.orders import Order
from models.states import OrderStatus, Step
from models.timeline_kinds import Kind
from tasks import cancellation, trials
from tasks.charges import payment_authentication
from tasks.errors import NO_DATABASE, behind_a_lock
from tasks.queues import QUEUES, STEP_QUEUES
from tasks.running import outages, queue_heads, retry_policy
from tasks.wiring import begin, policy

log = structlog.get_logger(__name__)

BATCH = 200
LONG = 200
"""messages of a queue, in Redis and in the outbox: one that has so many gets hardly any restarts, behind which new orders would wait"""
FEW = 10
"""orders that are restarted all the same at each sweep, the oldest, lest they wait for as long as new ones keep their queue long"""
_LOCK = 0x73776570
"""any number; beside the schema, as a database may have several installations"""
_FROZEN = "30s"
"""for so long a sweep may be at one of its parts, or its process be frozen, before PostgreSQL lets another one begin"""
_NOW = select(func.clock_timestamp()).scalar_subquery()
"""Asked once for each statement: compared with the function itself, which may differ from row to row, every order that waits would be read."""
UNSURE = timedelta(seconds=2)
"""tolerance for clocks that differ, and for concurrent relays that publish messages out of order"""


@shared_task(name="sweep", ignore_result=True, throws=NO_DATABASE)
@outages.logged("sweep")
def sweep() -> int:
    """Restart stalled orders, end those that waited too long, end trials; returns how many orders were touched.

    The lock is a transaction's, so PostgreSQL ends it with the process, and behind a pooler, too. It is asked for again before each order, so
    that the transaction is idle only in a process that is frozen.
    """
    in_queue = _waits_in_queue()  # Redis may take ten seconds to be away, for which no lock is to be held
    with begin() as alone:
        if not _hold_lock(alone):
            log.info("another sweep is at work")
            return 0
        alone.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_FROZEN}'"))
        _cut_back_waits()
        due = (Order.wake_at <= _NOW, lease.is_over(), ~in_queue)
        found = standing_still(due)
        touched = [(order_id, status) for order_id, status in found if _hold_lock(alone) and _visit(order_id, due)]
        _hold_lock(alone)
        trials.end_due()
        record_heartbeat(alone, "sweep")
    payment_authentication.enqueue_questions(
        order_id for order_id, status in touched if status is OrderStatus.AWAITING_AUTHENTICATION
    )
    return len(touched)


def _hold_lock(alone: Session) -> bool:
    return bool(alone.scalar(select(func.pg_try_advisory_xact_lock(_LOCK, func.hashtext(func.current_schema())))))


def _cut_back_waits() -> None:
    """Those written before PostgreSQL's clock was set back: otherwise orders of workers that died would stand still for as long."""
    with begin() as session:
        cut = lease.cut_back(session, lease=policy().lease, at_most=BATCH)
    if cut:
        log.warning("PostgreSQL's clock was set back", orders=cut)


_STEPS = {queue: [step for step in Step if QUEUES[step] == queue] for queue in STEP_QUEUES}
"""queue -> the steps whose messages go there"""


def _waits_in_queue() -> ColumnElement[bool]:
    """Selects orders whose message still waits in a queue or inside a worker: publishing it again would only lengthen the queue. So it would
    if the queue is long: then all its orders but a few wait, lost or not, until it is shorter.

    Publishing an order sets its `wake_at` at least `GRACE` ahead, so it was published at `wake_at - GRACE` at the latest. An order with a
    lease token is not selected, because a worker had already begun.
    """
    with begin() as session:
        at = session.scalars(select(func.clock_timestamp())).one()
        by_step = select(OutboxMessage.step, func.count()).group_by(OutboxMessage.step)
        in_outbox = dict(session.execute(by_step).all())
    queued = queue_heads.waiting(_STEPS, now=at)
    waits = []
    for queue, steps in _STEPS.items():
        of_queue = Order.next_step.in_(steps)
        since, messages = queued.get(queue, (None, 0))
        lost: ColumnElement[bool] = false()
        if since is not None:
            lost = and_(of_queue, Order.wake_at <= since + GRACE - UNSURE)
            waits.append(and_(of_queue, ~lost))
        if messages + sum(in_outbox.get(step, 0) for step in steps) >= LONG:
            waits.append(and_(of_queue, Order.id.not_in(_oldest(lost))))
    return and_(_NOT_BEGUN, or_(false(), *waits))


_NOT_BEGUN = and_(Order.status == OrderStatus.OPEN, Order.lease_token.is_(None))


def _oldest(lost: ColumnElement[bool]) -> Select[UUID]:
    due = select(Order.id).where(_NOT_BEGUN, lost, Order.wake_at <= _NOW).order_by(Order.wake_at).limit(FEW)
    return due.correlate(None)  # with the query that this is a part of


Due = Sequence[ColumnElement[bool]]


def standing_still(due: Due) -> list[tuple[UUID, OrderStatus]]:
    query = select(Order.id, Order.status).where(*due).order_by(Order.wake_at).limit(BATCH)
    with begin() as session:
        return [(order_id, status) for order_id, status in session.execute(query)]


def _visit(order_id: UUID, due: Due) -> bool:
    """Handle one order in a transaction of its own, so that orders neither wait for each other nor fail together."""
    query = select(Order).where(Order.id == order_id, *due)
    try:
        with begin() as session:
            order = session.scalar(query.with_for_update(skip_locked=True))
            return order is not None and look_after(session, order)
    except NO_DATABASE as error:
        if not behind_a_lock(error):
            raise
        log.warning("a lock the order needs is held", order_id=str(order_id))
        return False
    except Exception:
        log.exception("sweep cannot look after an order", order_id=str(order_id))
        return False


def look_after(session: Session, order: Order) -> bool:
    match order.status:
        case OrderStatus.OPEN:
            return _restart(session, order)
        case OrderStatus.AWAITING_AUTHENTICATION:
            return payment_authentication.look_after(session, order)
        case OrderStatus.AWAITING_PAYMENT_DETAILS | OrderStatus.PAYMENT_DECLINED | OrderStatus.AWAITING_CONFIRMATION:
            return waiting_orders.cancel(session, order, reason=cancellation.UNANSWERED)
    _look_again_in(session, order.id, None)
    return False


def _restart(session: Session, order: Order) -> bool:
    """Publish the rest of its chain; an order restarted too often without progress is parked for a person.

    One whose message is still in the outbox is not lost; it is only checked again later.
    """
    if _lies_in_outbox(session, order):
        _look_again_in(session, order.id, GRACE)
        return False
    if order.restarts >= policy().max_restarts:
        error = order.last_error or f"{order.next_step} made no progress in {order.restarts} restarts"
        log.error("order needs attention", order_id=str(order.id), step=order.next_step, error=error)
        return attention.park(session, order.id, error=error, token=order.lease_token)
    restart = order.restarts + 1
    no_lease = {"lease_token": None, "lease_until": None, "next_attempt_at": None}
    _look_again_in(session, order.id, retry_policy.restart_delay(order.restarts), restarts=restart, **no_lease)
    session.execute(insert(OutboxMessage).values(order_id=order.id, step=order.next_step))
    timeline.note(session, order.id, Kind.ORDER_RESTARTED, {"step": str(order.next_step), "restart": restart})
    log.warning("order restarted", order_id=str(order.id), step=order.next_step, restart=restart)
    return True


def _lies_in_outbox(session: Session, order: Order) -> bool:
    waiting = select(OutboxMessage.id).where(OutboxMessage.order_id == order.id, OutboxMessage.step == order.next_step)
    return session.scalar(waiting.limit(1)) is not None


def _look_again_in(session: Session, order_id: UUID, delay: timedelta | None, **values: int | None) -> None:
    """delay: None for an order that the sweep need not look at again. values: further columns to write."""
    wake_at = func.clock_timestamp() + delay if delay else None
    session.execute(update(Order).where(Order.id == order_id).values(wake_at=wake_at, **values))
