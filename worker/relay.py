"""From the outbox to the broker: right after a commit, and every second for what was left over while the broker was away."""

from celery import shared_task
from sqlalchemy import delete, select

from models.messages import OutboxMessage
from tasks import pipeline
from tasks.failure_points import reach
from tasks.wiring import begin

BATCH = 100


def publish_pending() -> int:
    """Publish what waits, oldest first, and delete it; returns how many orders were sent on their way.

    Several may run at once (SKIP LOCKED). Killed between publishing and deleting, it publishes again later: harmless.
    Raises kombu's OperationalError where the broker is away; the rows stay.
    """
    published = 0
    while count := _publish_batch():
        published += count
        if count < BATCH:
            break
    return published


def _publish_batch() -> int:
    with begin() as session:
        waiting = select(OutboxMessage.id).order_by(OutboxMessage.id).limit(BATCH).with_for_update(skip_locked=True)
        rows = session.execute(
            delete(OutboxMessage)
            .where(OutboxMessage.id.in_(waiting.scalar_subquery()))
            .returning(OutboxMessage.id, OutboxMessage.order_id, OutboxMessage.step)
            .execution_options(synchronize_session=False)
        ).all()
        for _, order_id, step in sorted(rows):
            pipeline.publish(order_id, step)
            reach("relay.published", "outbox")
    return len(rows)


@shared_task(name="relay", ignore_result=True)
def relay() -> int:
    return publish_pending()
