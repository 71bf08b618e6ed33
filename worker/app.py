"""The Celery application: `celery -A worker.app worker`. Its settings are in `worker.celery_config`, read when first needed."""

from importlib import import_module
from typing import Any

from celery import Celery, signals

from tasks import housekeeping, pipeline, sweep
from tasks.charges import webhooks
from tasks.running import queue_heads
from worker import broker, canary, heap, relay
from worker.logs import set_up_logging
from worker.wiring import plug_in_from_settings

broker.install()
app = Celery("prorata", set_as_current=True, events="worker.events:Events")
app.config_from_object("worker.celery_config")
app.Task.Request = "worker.rejected:Request"
app.set_default()  # in every thread: the API publishes from a thread of its own
app.finalize()
signals.before_task_publish.connect(queue_heads.stamp)


@signals.setup_logging.connect
def _log(**_: Any) -> None:
    set_up_logging()


@signals.worker_init.connect
def _plug_in(**_: Any) -> None:
    """Before the pool forks: nothing connects yet, and children drop what they inherit."""
    plug_in_from_settings()
    # These connect to Celery's signals and start; only workers have its modules loaded.
    for module in ("worker.handing_over", "worker.hang_up", "worker.rejected", "worker.watchdog"):
        import_module(module)
    heap.freeze()


__all__ = ["app", "canary", "housekeeping", "pipeline", "relay", "sweep", "webhooks"]
