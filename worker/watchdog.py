"""A worker that no longer takes messages, though it lives and its broker answers, ends itself: its supervisor starts it again.

A thread beside Celery's loop sends the worker a canary every so often and looks when it last took anything at all.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import signals
from celery.utils.nodenames import worker_direct
from kombu.exceptions import OperationalError

from worker.canary import canary

log = structlog.get_logger(__name__)

EVERY, PATIENCE = 20.0, 70.0
"""seconds between canaries, and without any message until it is the worker that is at fault; a step takes less"""


@dataclass
class Watchdog:
    """send: give the worker something to take; raises OperationalError where the broker is away. give_up: end the worker."""

    send: Callable[[], None]
    give_up: Callable[[], None]
    now: Callable[[], float] = time.monotonic
    last_taken: float = field(init=False)

    def __post_init__(self) -> None:
        self.last_taken = self.now()

    def taken(self, **_: Any) -> None:
        """The worker took a message, or finished one."""
        self.last_taken = self.now()

    def look(self) -> None:
        try:
            self.send()
        except OperationalError:
            self.last_taken = self.now()  # nobody could have taken anything: the time counts anew
            return
        if self.now() - self.last_taken > PATIENCE:
            log.critical("worker takes no messages; ending it", seconds=round(self.now() - self.last_taken))
            self.give_up()

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(EVERY)


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    own = worker_direct(sender.hostname)
    watchdog = Watchdog(
        send=lambda: canary.apply_async((None,), queue=own, expires=EVERY),
        give_up=lambda: os.kill(os.getpid(), signal.SIGKILL),
    )
    signals.task_received.connect(watchdog.taken, weak=False)
    signals.task_postrun.connect(watchdog.taken, weak=False)
    threading.Thread(target=watchdog.run, name="watchdog", daemon=True).start()
