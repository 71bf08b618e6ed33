"""Does anybody take from a queue? Beat sends a `heartbeat` to each; the age of its row tells."""

from celery import shared_task

from models.messages import record_heartbeat
from tasks.errors import NO_DATABASE
from tasks.wiring import begin


@shared_task(name="heartbeat", ignore_result=True, throws=NO_DATABASE)
def heartbeat(queue: str) -> None:
    with begin() as session:
        record_heartbeat(session, f"queue {queue}")
