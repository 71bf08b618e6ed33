"""The watchdog ends a worker that takes no messages, and only that."""

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from tests.support.command import SETTINGS
from worker.adapters import smtp, stripe, vies
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import ANSWER_TIMEOUT, Server
from worker.adapters.stripe import StripePayments
from worker.adapters.vies import Vies
from worker.database import engine
from worker.longest_delivery import longest_delivery
from worker.settings import Settings
from worker.watchdog import EVERY, PATIENCE, Watchdog
from worker.wiring import wired

LONGEST = 600.0


@dataclass
class Scene:
    """A worker, its broker and the time, as a test wants them."""

    time: float = 0.0
    broker_is_away: bool = False
    takes: bool = True
    full: bool = False
    begun: int = 0
    log_is_read: bool = True
    broken: bool = False
    deliveries: set[str] = field(default_factory=set)
    ended: int = 0
    dog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        self.dog = Watchdog(
            self.send,
            self.end,
            lambda: self.time,
            full=lambda: self.full,
            begun=lambda: self.begun,
            deliveries=lambda: self.deliveries,
            log_is_read=lambda: self.log_is_read,
            longest=LONGEST,
        )

    def send(self) -> None:
        if self.broken:
            raise OSError("too many open files")
        if self.broker_is_away:
            raise RedisError
        if self.takes:
            self.dog.taken()

    def end(self) -> None:
        self.ended += 1

    def after(self, seconds: float) -> int:
        self.time += seconds
        self.dog.look()
        return self.ended


def test_a_worker_that_takes_its_canaries_lives() -> None:
    scene = Scene()
    assert [scene.after(PATIENCE + 1) for _ in range(3)] == [0, 0, 0]


def test_a_worker_that_takes_nothing_is_ended_once_patience_is_over() -> None:
    scene = Scene(takes=False)
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_worker_whose_broker_is_away_is_not_at_fault() -> None:
    scene = Scene(takes=False, broker_is_away=True)
    assert scene.after(10 * PATIENCE) == 0
    scene.broker_is_away = False
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_busy_worker_that_only_finishes_is_not_at_fault() -> None:
    scene = Scene(takes=False)
    scene.after(PATIENCE - 1)
    scene.dog.taken()
    assert scene.after(PATIENCE) == 0


def looks(scene: Scene, *, during: float) -> int:
    for _ in range(int(during / EVERY)):
        scene.after(EVERY)
    return scene.ended


def test_a_worker_whose_every_place_waits_for_a_slow_answer_is_not_at_fault() -> None:
    scene = Scene(takes=False, full=True)
    assert looks(scene, during=LONGEST) == 0


def test_a_worker_whose_places_are_taken_for_longer_than_any_delivery_is_ended() -> None:
    scene = Scene(takes=False, full=True)
    assert looks(scene, during=LONGEST + PATIENCE) == 0
    assert scene.after(EVERY) == 1


def test_a_place_that_comes_free_is_to_be_used_within_patience() -> None:
    scene = Scene(takes=False, full=True)
    looks(scene, during=300)
    scene.full = False
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_full_worker_that_goes_on_with_what_it_holds_is_not_at_fault() -> None:
    scene = Scene(takes=False, full=True)
    for _ in range(5):
        assert looks(scene, during=LONGEST) == 0
        scene.begun += 1


def test_a_worker_that_is_told_to_end_takes_no_messages_and_is_not_at_fault() -> None:
    scene = Scene(takes=False)
    scene.dog.told_to_end()
    assert looks(scene, during=LONGEST) == 0


def test_a_worker_that_is_told_to_end_and_does_not_for_longer_than_any_delivery_is_ended() -> None:
    scene = Scene(takes=False)
    scene.dog.told_to_end()
    assert looks(scene, during=LONGEST + PATIENCE) == 0
    assert scene.after(EVERY) == 1


@pytest.mark.parametrize("broker_is_away", [False, True])
def test_a_worker_that_takes_messages_but_whose_log_nobody_reads_is_ended(broker_is_away: bool) -> None:
    scene = Scene(log_is_read=False, broker_is_away=broker_is_away)
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_worker_whose_log_is_read_now_and_then_lives() -> None:
    scene = Scene(log_is_read=False)
    for _ in range(3):
        assert scene.after(PATIENCE) == 0
        scene.log_is_read = True
        assert scene.after(0) == 0
        scene.log_is_read = False


@pytest.mark.parametrize("broker_is_away", [False, True])
def test_a_worker_one_of_whose_deliveries_never_ends_is_ended_though_it_takes_messages(broker_is_away: bool) -> None:
    scene = Scene(deliveries={"hangs"}, broker_is_away=broker_is_away)
    scene.after(0)
    assert [scene.after(LONGEST), scene.after(1)] == [0, 1]


def test_a_worker_whose_deliveries_end_in_time_lives() -> None:
    scene = Scene()
    for each in ("first", "second", "third"):
        scene.deliveries = {each}
        assert looks(scene, during=LONGEST) == 0


class Enough(BaseException):
    pass


def test_a_look_that_fails_is_said_and_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, seconds = Scene(takes=False), iter([PATIENCE, 1.0])

    def sleep(_: float) -> None:
        scene.broken = False
        if scene.ended:
            raise Enough
        scene.time += next(seconds)

    monkeypatch.setattr("worker.watchdog.time.sleep", sleep)
    scene.broken = True
    with capture_logs() as logs, pytest.raises(Enough):
        scene.dog.run()
    assert (scene.ended, scene.time) == (1, PATIENCE + 1)
    assert logs[0] == {
        "log_level": "critical",
        "event": "watchdog could not look",
        "error": "OSError('too many open files')",
    }


AT_FAULT = """
import logging, os, signal, threading
from worker.logs import set_up_logging
from worker.watchdog import PATIENCE, Watchdog

set_up_logging()
threading.Thread(target=logging.getLogger().info, args=("stopped, with the lock of the log",), daemon=True).start()
clock = iter([0.0, *[PATIENCE + 1] * 19])
dog = Watchdog(lambda: None, lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: next(clock))
dog.look()
"""


def test_a_worker_whose_log_nobody_reads_is_ended_all_the_same() -> None:
    reader, log = os.pipe()
    os.set_blocking(log, False)
    try:
        while os.write(log, b"." * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(log, True)
    try:
        ended = subprocess.run([sys.executable, "-c", AT_FAULT], stderr=log, timeout=60, check=False)
    finally:
        os.close(reader)
        os.close(log)
    assert ended.returncode == -signal.SIGKILL


def settings(**chosen: float) -> Settings:
    given = {name.removeprefix("PRORATA_").lower(): value for name, value in SETTINGS.items()}
    return Settings.model_validate(given | chosen)


@pytest.mark.parametrize(
    ("chosen", "at_least"),
    [
        ({}, 2 * 59),
        ({"stripe_timeout_seconds": 45}, 2 * (8 + 3 + 45)),
        ({"smtp_timeout_seconds": 120}, 3 * (3 * 10 * 120 + 600)),
        ({"vies_timeout_seconds": 60}, 2 * 60),
    ],
)
def test_the_longest_delivery_goes_by_the_settings(chosen: dict[str, float], at_least: float) -> None:
    assert longest_delivery(settings(**chosen)) > at_least


def test_the_longest_delivery_adds_up_what_the_adapters_wait() -> None:
    chosen = settings(stripe_timeout_seconds=20, vies_timeout_seconds=5, smtp_timeout_seconds=10)
    assert longest_delivery(chosen) == 10 * (8 + 3 + 20) + 2 * (10 + 5) + 3 * (3 * 12 * 10 + 600 + 60) + 90


@pytest.mark.parametrize(("timeout", "seconds"), [(10, 3 * 12 * 10 + 600), (120, 3 * 12 * 120 + 600)])
def test_what_sends_letters_knows_how_long_one_may_take(timeout: float, seconds: float) -> None:
    chosen = settings(smtp_timeout_seconds=timeout)
    assert wired(chosen, engine(chosen)).longest_letter == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("adapter", "parameter", "counted"),
    [
        (StripePayments, "patience", stripe.PATIENCE),
        (StripePayments, "connect_timeout", stripe.CONNECT_TIMEOUT),
        (Vies, "total_timeout", vies.TOTAL_TIMEOUT),
        (SmtpMailer, "attempts", smtp.ATTEMPTS),
        (Server, "answer_timeout", ANSWER_TIMEOUT),
    ],
)
def test_an_adapter_waits_as_long_as_the_watchdog_counts(
    adapter: Callable[..., object], parameter: str, counted: float
) -> None:
    assert inspect.signature(adapter).parameters[parameter].default == counted
