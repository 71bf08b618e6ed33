"""A worker that no longer takes messages, though it lives and its broker answers, ends itself: its supervisor starts it again.

A thread beside Celery's loop regularly sends the worker a canary, and checks when it last took any message. While every slot of the pool
is busy, or once the worker was told to end, it cannot take a canary, so that time does not count, unless it is longer than any delivery takes.
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
from celery.worker import state
from redis.exceptions import RedisError

from worker import health
from worker.adapters import smtp, stripe, vies
from worker.environment import settings
from worker.settings import Settings

log = structlog.get_logger(__name__)

EVERY = 20.0
"""seconds between canaries"""
PATIENCE = 70.0
"""seconds without any message, though a slot is free, after which the worker is at fault"""

LAST_WORDS = 2.0
"""seconds that the log may take to write why the worker ends"""


def longest_delivery(chosen: Settings) -> float:
    """Seconds that one delivery may take: all of an order's steps in this process, each answer as late as `chosen` lets it be.

    Counted generously: ten calls of Stripe, two of VIES, three letters, each with its tries, and a minute and a half for our own work
    and the pauses between tries. A run of VAT follow-ups or of late charges takes less: after its minute,
    one question and one letter, or the calls about one charge. (Several runs may be at work; each is a delivery of its own.)
    """
    stripe_call = stripe.PATIENCE + stripe.CONNECT_TIMEOUT + chosen.stripe_timeout_seconds
    vies_call = vies.TOTAL_TIMEOUT + chosen.vies_timeout_seconds
    letter = smtp.longest_letter(chosen.smtp_timeout_seconds)
    return 10 * stripe_call + 2 * vies_call + 3 * letter + 90.0


def say(*, seconds: int) -> None:
    """Returns even if nobody reads our log: a full pipe stops each thread that writes to it, and may be why the worker takes nothing."""
    words = {"event": "worker takes no messages; ending it", "seconds": seconds}
    speaker = threading.Thread(target=log.critical, kwargs=words, daemon=True)
    speaker.start()
    speaker.join(LAST_WORDS)


@dataclass
class Watchdog:
    """send: give the worker something to take; raises RedisError where the broker is away. give_up: end the worker.

    full: whether every slot of the pool is busy. begun: how many deliveries have begun so far. longest: seconds that one may take.
    """

    send: Callable[[], None]
    give_up: Callable[[], None]
    now: Callable[[], float] = time.monotonic
    full: Callable[[], bool] = lambda: False
    begun: Callable[[], int] = lambda: 0
    longest: float = 0.0
    last_taken: float = field(init=False)
    counted_from: float = field(init=False)
    seen: int = field(init=False, default=0)
    ending: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.last_taken = self.counted_from = self.now()

    def taken(self, **_: Any) -> None:
        """The worker took a message, began to work on it, or finished one."""
        self.last_taken = self.counted_from = self.now()

    def told_to_end(self, **_: Any) -> None:
        """The worker takes no more messages, and finishes what it has begun."""
        self.ending = True
        self.taken()

    def look(self) -> None:
        if (begun := self.begun()) != self.seen:  # a message that waited here for its ETA: it was not received just now
            self.seen = begun
            self.taken()
        try:
            self.send()
        except RedisError:
            self.taken()  # nobody could have taken anything: the time counts anew
            return
        if (self.ending or self.full()) and self.now() - self.last_taken <= self.longest:
            self.counted_from = self.now()
        if self.now() - self.counted_from > PATIENCE:
            try:
                say(seconds=round(self.now() - self.last_taken))
            finally:
                self.give_up()

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(EVERY)


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    broker = health.connected(settings().broker_url.get_secret_value())
    watchdog = Watchdog(
        send=lambda: health.send(broker, sender.hostname, song=None, within=EVERY),
        give_up=lambda: os.kill(os.getpid(), signal.SIGKILL),
        full=lambda: len(state.active_requests) >= sender.pool.limit,
        begun=lambda: state.all_total_count[0],
        longest=longest_delivery(settings()),
    )
    signals.task_received.connect(watchdog.taken, weak=False)
    signals.task_postrun.connect(watchdog.taken, weak=False)
    signals.worker_shutting_down.connect(watchdog.told_to_end, weak=False)
    threading.Thread(target=watchdog.run, name="watchdog", daemon=True).start()
