"""What is kept no longer than it serves: notifications of the provider, whose bodies hold customers' details."""

from datetime import timedelta

from celery import shared_task
from sqlalchemy import delete

from models.messages import WebhookReceived
from tasks.errors import NO_DATABASE
from tasks.wiring import begin, now

KEPT = timedelta(days=30)
"""the provider repeats a notification for days, not weeks: by then its id need not be known any more"""


@shared_task(name="housekeeping", ignore_result=True, throws=NO_DATABASE)
def housekeeping() -> int:
    """Delete notifications handled more than `KEPT` ago; returns how many. What is not handled stays."""
    with begin() as session:
        gone = session.execute(
            delete(WebhookReceived)
            .where(WebhookReceived.handled_at < now() - KEPT)
            .returning(WebhookReceived.id)
            .execution_options(synchronize_session=False)
        )
        return len(gone.all())
