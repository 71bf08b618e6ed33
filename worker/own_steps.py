"""In a worker with a thread or solo pool, an order goes from step to step without a message, as long as the worker takes their queues.
Letters may hold two thirds of its threads at most, unless it does nothing else.

We send the events that Celery would have sent for those steps, so that Flower shows a task for each. In a prefork pool nothing
is handed over: its processes have no connection of their own to Flower.
"""

from typing import Any

from celery import signals
from celery.concurrency import solo

from models.states import Step
from tasks.mail import at_once
from tasks.queues import QUEUE_NAMES, QUEUES
from tasks.running import in_process
from worker import thread_pool

_NOT_FOR_LETTERS = set(QUEUE_NAMES) - {QUEUES[Step.SEND_CONFIRMATION_EMAIL]}
_IN_ONE_PROCESS = (thread_pool.TaskPool, solo.TaskPool)


@signals.worker_ready.connect
def _set_up(sender: Any, **_: Any) -> None:
    """sender: Celery's consumer, which has a new event dispatcher after each reconnect."""
    if not isinstance(sender.pool, _IN_ONE_PROCESS):
        return
    taken = set(sender.app.amqp.queues.consume_from)

    def show(event: str, **fields: Any) -> None:
        if sender.event_dispatcher is not None:
            sender.event_dispatcher.send(event, **fields)

    def stays_here(step: Step) -> bool:
        return QUEUES[step] in taken

    in_process.set_up(stays_here=stays_here, show=show)
    if not taken.isdisjoint(_NOT_FOR_LETTERS):
        at_once.set_up(at_once.Places(max(1, sender.pool.limit * 2 // 3)))
