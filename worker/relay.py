"""From the outbox to the broker: right after a commit, and every second for what was left over while the broker was away."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

from celery import current_app, shared_task
from kombu.exceptions import BatchPublishError, OperationalError
from redis import RedisError
from sqlalchemy import delete, select

from models.messages import OutboxMessage
from models.prepared import Prepared
from models.states import Step
from tasks.errors import NO_DATABASE
from tasks.failure_points import reach
from tasks.queues import QUEUES
from tasks.running import outages, queue_heads
from tasks.wiring import begin

BATCH = 100


def publish_pending() -> int:
    """Publish what waits, oldest first, and delete it; returns how many orders were sent on their way.

    Several may run at once (SKIP LOCKED). Killed between publishing and deleting, it publishes again later: harmless.
    Raises kombu's OperationalError or BatchPublishError where the broker is down, Redis's error where it is full, SQLAlchemy's OperationalError where it takes so long
    that PostgreSQL ends the transaction; the rows stay.
    """
    published = 0
    while count := _publish_batch():
        published += count
        if count < BATCH:
            break
    return published


# Run after every order, so built once.
_OUTBOX = OutboxMessage.__table__
_OLDEST = select(_OUTBOX.c.id).order_by(_OUTBOX.c.id).limit(BATCH).with_for_update(skip_locked=True)
_TAKE = Prepared[int, UUID, Step, datetime](
    delete(OutboxMessage)
    .where(OutboxMessage.id.in_(_OLDEST.scalar_subquery()))
    .returning(OutboxMessage.id, OutboxMessage.order_id, OutboxMessage.step, OutboxMessage.created_at)
)


def _publish_batch() -> int:
    with begin() as session:
        rows = _TAKE.all(session, {})
        if rows:
            _publish((order_id, step, put_in_at) for _, order_id, step, put_in_at in sorted(rows))
    return len(rows)


def _publish(orders: Iterable[tuple[UUID, Step, datetime]]) -> None:
    """The same messages as a task's `apply_async` sends, at half the cost: what Celery works out for each call is known here.

    Publishing twice is harmless: every step checks whether it is its turn.
    """
    app = current_app
    with app.producer_or_acquire() as producer, producer.batch():
        for order_id, step, put_in_at in orders:
            message = app.amqp.create_task_message(
                str(uuid4()), step.value, (str(order_id),), {}, create_sent_event=app.conf.task_send_sent_event
            )
            headers = queue_heads.since(put_in_at)
            # Nothing to declare: in Redis a queue is there once something lies in it.
            app.amqp.send_task_message(producer, step.value, message, queue=QUEUES[step], headers=headers, declare=())
    reach("relay.published", "outbox")


@shared_task(name="relay", ignore_result=True, throws=(*NO_DATABASE, OperationalError, BatchPublishError, RedisError))
@outages.logged("relay")
def relay() -> int:
    return publish_pending()
