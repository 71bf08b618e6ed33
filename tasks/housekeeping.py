"""Deletes what is no longer needed: the provider's notifications, whose bodies contain customers' details, and quotes that were not ordered."""

from datetime import UTC, datetime, timedelta

from celery import shared_task
from sqlalchemy import delete, select

from models.messages import WebhookReceived
from models.orders import Order, Quote
from tasks.errors import NO_DATABASE
from tasks.wiring import begin, now

KEPT = timedelta(days=30)
"""Long after the provider has stopped repeating a notification: one that is sent once more by hand is handled anew, which changes nothing.
A quote that has expired can no longer be ordered; this long after, nobody asks what it was."""
BATCH = 1000
"""rows deleted in one transaction"""


@shared_task(name="housekeeping", ignore_result=True, throws=NO_DATABASE)
def housekeeping() -> int:
    """Delete notifications handled more than `KEPT` ago; returns how many. Unhandled ones remain."""
    deleted = 0
    last = BATCH
    while last == BATCH:
        last = _delete_notifications(before=now() - KEPT)
        deleted += last
    return deleted


@shared_task(name="old_quotes", ignore_result=True, throws=NO_DATABASE)
def old_quotes() -> int:
    """Delete quotes, with their lines, that expired more than `KEPT` ago and that no order names; returns how many.

    It runs only once a day, because each run also scans all ordered quotes, which remain.
    """
    deleted = 0
    since = datetime.min.replace(tzinfo=UTC)
    while gone := _delete_quotes(since=since, before=now() - KEPT):
        deleted += len(gone)
        since = max(gone)
    return deleted


def _delete_notifications(*, before: datetime) -> int:
    old = WebhookReceived.handled_at < before
    some = select(WebhookReceived.id).where(old).limit(BATCH).with_for_update(skip_locked=True).cte()
    with begin() as session:
        gone = session.connection().execute(delete(WebhookReceived).where(WebhookReceived.id.in_(select(some.c.id))))
        return gone.rowcount


def _delete_quotes(*, since: datetime, before: datetime) -> list[datetime]:
    """Delete a batch, oldest first from `since` on, where the previous batch ended. Returns when the deleted quotes had expired."""
    ordered = select(Order.id).where(Order.quote_id == Quote.id).exists()
    proposed = select(Order.id).where(Order.proposed_quote_id == Quote.id).exists()
    some = (
        select(Quote.id)
        .where(Quote.expires_at >= since, Quote.expires_at < before, ~ordered, ~proposed)
        .order_by(Quote.expires_at)
        .limit(BATCH)
        .with_for_update(of=Quote, skip_locked=True)
        .cte()
    )
    with begin() as session:
        gone = delete(Quote).where(Quote.id.in_(select(some.c.id))).returning(Quote.expires_at)
        return list(session.scalars(gone.execution_options(synchronize_session=False)))
