"""What is kept no longer than it serves: notifications of the provider, whose bodies hold customers' details."""

from datetime import datetime, timedelta

from celery import shared_task
from sqlalchemy import delete, select

from models.messages import WebhookReceived
from tasks.errors import NO_DATABASE
from tasks.wiring import begin, now

KEPT = timedelta(days=30)
"""the provider repeats a notification for days, not weeks: by then its id need not be known any more"""
BATCH = 1000
"""rows deleted in one transaction"""


@shared_task(name="housekeeping", ignore_result=True, throws=NO_DATABASE)
def housekeeping() -> int:
    """Delete notifications handled more than `KEPT` ago; returns how many. What is not handled stays."""
    deleted, last = 0, BATCH
    while last == BATCH:
        last = _delete_some(before=now() - KEPT)
        deleted += last
    return deleted


def _delete_some(*, before: datetime) -> int:
    some = select(WebhookReceived.id).where(WebhookReceived.handled_at < before).limit(BATCH)
    with begin() as session:
        gone = session.connection().execute(
            delete(WebhookReceived).where(WebhookReceived.id.in_(some.with_for_update(skip_locked=True)))
        )
        return gone.rowcount
