"""The Celery application without its tasks, for processes that only send messages or watch events: API, beat, Flower, the workers' health check.

`worker.app` adds the tasks, which take half of a worker's start to import. The settings are in `worker.celery_config`, read when first needed.
"""

from typing import Any

from celery import Celery, signals

from tasks.running import queue_heads
from worker import broker
from worker.logs import set_up_logging

broker.install()
app = Celery("prorata", set_as_current=True, events="worker.events:Events")
app.config_from_object("worker.celery_config")
app.set_default()  # in every thread: the API publishes from a thread of its own
signals.before_task_publish.connect(queue_heads.stamp)


@signals.setup_logging.connect
def _log(**_: Any) -> None:
    set_up_logging()
