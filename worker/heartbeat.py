"""Does anybody take from a queue? The age of its row tells. Each process writes it when it takes a message from there, and beat sends a
`heartbeat` to each queue, as nothing else may come there. Alone it would not do: it waits behind all others, and expires."""

import time
from typing import Any, Final

from celery import Task, shared_task

from models.messages import record_heartbeat
from tasks.errors import NO_DATABASE
from tasks.queues import QUEUE_NAMES
from tasks.running import outages
from tasks.wiring import begin

EVERY: Final = 15.0
"""seconds for which a process does not write a queue's row again; see also `worker.celery_config`"""
_noted: dict[str, float] = {}
"""queue -> when this process last wrote its row"""


@shared_task(name="heartbeat", ignore_result=True, throws=NO_DATABASE)
def heartbeat(queue: str) -> None:
    with begin() as session:
        record_heartbeat(session, f"queue {queue}")


def taken(task: Task, **_: Any) -> None:
    """Handler of Celery's `task_prerun`, in the thread or process that runs the task. An outage is logged, and fails the task itself."""
    queue, now = (task.request.delivery_info or {}).get("routing_key"), time.monotonic()
    if queue not in QUEUE_NAMES or now - _noted.get(queue, -EVERY) < EVERY:
        return
    _noted[queue] = now
    try:
        with outages.logged("heartbeat"), begin() as session:
            record_heartbeat(session, f"queue {queue}")
    except NO_DATABASE:
        return
