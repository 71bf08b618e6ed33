"""A terminal that hangs up, or `kill -HUP`, ends a worker as TERM does: it finishes its current work.

Celery would start itself anew, by the path of a module, which only `python -m` can run; at a terminal, it would be killed at its work.
"""

import signal
from typing import Any

from celery import bootsteps, current_app, signals


class EndsAtHangUp(bootsteps.StartStopStep):  # type: ignore[misc]
    """Begins after Celery has installed its own handlers. Under `nohup`, where the signal is ignored, it stays so."""

    def __init__(self, worker: Any, **options: Any) -> None:
        self.is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        super().__init__(worker, **options)

    def start(self, _: Any) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN if self.is_ignored else signal.getsignal(signal.SIGTERM))


@signals.worker_process_init.connect
def _leave_it_to_the_worker(**_: Any) -> None:
    """In each process of the pool: a terminal tells these, too."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


current_app.steps["worker"].add(EndsAtHangUp)
