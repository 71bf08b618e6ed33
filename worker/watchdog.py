"""A worker that hangs ends itself, and its supervisor starts it again: one that takes no messages, though its broker answers; one whose log
nobody reads, so that each thread that logs waits for ever; one with a delivery that never ends, whatever its other threads do.

A thread beside Celery's loop regularly sends the worker a canary, and checks when it last took any message. While every slot of the pool
is busy, or once the worker was told to end, it cannot take a canary, so that time does not count, unless it is longer than any delivery takes.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from celery import signals
from celery.worker import state
from redis.exceptions import RedisError

from worker import first_process, health, logs, thread_pool
from worker.environment import settings
from worker.longest_delivery import longest_delivery

log = structlog.get_logger(__name__)

EVERY = 20.0
"""seconds between canaries"""
PATIENCE = 70.0
"""seconds without any message, though a slot is free, or with a log that takes no line, after which the worker is at fault"""
A_LINE = 2.0
"""seconds that a log that is read, if slowly, may take until it has room for a line"""

LAST_WORDS = 2.0
"""seconds that the log may take to write why the worker ends"""


def say(why: str, **fields: Any) -> None:
    """Returns even if nobody reads our log: a full pipe stops each thread that writes to it."""
    speaker = threading.Thread(target=log.critical, args=(why,), kwargs=fields, daemon=True)
    speaker.start()
    speaker.join(LAST_WORDS)


@dataclass
class Watchdog:
    """send: give the worker something to take; raises RedisError where the broker is away. give_up: end the worker.

    full: whether every slot of the pool is busy. begun: how many deliveries have begun so far. deliveries: those at work, as words that
    tell each from all others. log_is_read: whether our log takes another line. longest: seconds that a delivery may take.
    """

    send: Callable[[], None]
    give_up: Callable[[], None]
    now: Callable[[], float] = time.monotonic
    full: Callable[[], bool] = lambda: False
    begun: Callable[[], int] = lambda: 0
    deliveries: Callable[[], set[str]] = set
    log_is_read: Callable[[], bool] = lambda: True
    longest: float = 0.0
    last_taken: float = field(init=False)
    counted_from: float = field(init=False)
    seen: int = field(init=False, default=0)
    ending: bool = field(init=False, default=False)
    last_read: float = field(init=False)
    at_work: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.last_taken = self.counted_from = self.last_read = self.now()

    def taken(self, **_: Any) -> None:
        """The worker took a message, began to work on it, or finished one."""
        self.last_taken = self.counted_from = self.now()

    def told_to_end(self, **_: Any) -> None:
        """The worker takes no more messages, and finishes what it has begun."""
        self.ending = True
        self.taken()

    def look(self) -> None:
        self.look_at_log()
        self.look_at_deliveries()
        self.look_at_messages()

    def look_at_log(self) -> None:
        if self.log_is_read():
            self.last_read = self.now()
        elif (seconds := self.now() - self.last_read) > PATIENCE:
            self.end("worker's log is not read; ending it", seconds=round(seconds))

    def look_at_deliveries(self) -> None:
        self.at_work = {each: self.at_work.get(each, self.now()) for each in self.deliveries()}
        hanging = [each for each, since in self.at_work.items() if self.now() - since > self.longest]
        if hanging:
            self.end("delivery never ends; ending its worker", deliveries=hanging, seconds=round(self.longest))

    def look_at_messages(self) -> None:
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
            self.end("worker takes no messages; ending it", seconds=round(self.now() - self.last_taken))

    def end(self, why: str, **fields: Any) -> None:
        try:
            say(why, **fields)
        finally:
            self.give_up()

    def run(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed; if this thread ended, nothing would end a worker that hangs
                say("watchdog could not look", error=repr(error))
            time.sleep(EVERY)


def _at_work() -> set[str]:
    """Each delivery's task with its arguments (an order's id), and what tells it from an earlier one of the same message."""
    while True:
        try:
            return {f"{each.name}{each.argsrepr} {each.id} {each.time_start}" for each in state.active_requests}
        except RuntimeError:  # another thread has just begun one, or ended it
            continue


def _is_full(pool: Any) -> bool:
    """By its threads, if it has any: a delivery that ended without Celery's knowing stays among its active requests."""
    return pool.is_full() if isinstance(pool, thread_pool.TaskPool) else len(state.active_requests) >= pool.limit


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    broker = health.connected(settings().broker_url.get_secret_value())
    watchdog = Watchdog(
        send=lambda: health.send(broker, sender.hostname, song=None, within=EVERY),
        give_up=first_process.end_at_once,
        full=lambda: _is_full(sender.pool),
        begun=lambda: state.all_total_count[0],
        deliveries=_at_work,
        log_is_read=lambda: logs.are_read(within=A_LINE),
        longest=longest_delivery(settings()),
    )
    signals.task_received.connect(watchdog.taken, weak=False)
    signals.task_postrun.connect(watchdog.taken, weak=False)
    signals.worker_shutting_down.connect(watchdog.told_to_end, weak=False)
    threading.Thread(target=watchdog.run, name="watchdog", daemon=True).start()
