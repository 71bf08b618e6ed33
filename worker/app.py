"""The Celery application with its tasks: `celery -A worker.app worker`."""

from importlib import import_module
from typing import Any

from celery import signals

from tasks import housekeeping, pipeline, sweep
from tasks.charges import late_charges, webhooks
from worker import canary, heap, heartbeat, relay, thread_pool
from worker.messaging import app
from worker.wiring import plug_in_from_settings

app.Task.Request = "worker.rejected:Request"
app.finalize()
signals.task_prerun.connect(heartbeat.taken)


@signals.worker_init.connect
def _plug_in(**_: Any) -> None:
    """Before the pool forks: nothing connects yet, and children drop what they inherit."""
    plug_in_from_settings()
    # These connect to Celery's signals and start; only workers have its modules loaded.
    for module in ("worker.own_steps", "worker.hang_up", "worker.rejected", "worker.watchdog"):
        import_module(module)
    app.backend.as_uri()  # loaded before the first task: from files, for which a task may find no descriptor left
    heap.freeze()


__all__ = [
    "app",
    "canary",
    "heartbeat",
    "housekeeping",
    "late_charges",
    "pipeline",
    "relay",
    "sweep",
    "thread_pool",
    "webhooks",
]
