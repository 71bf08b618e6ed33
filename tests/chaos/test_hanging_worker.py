"""A worker that takes messages, and yet hangs, ends and so leaves its orders to the others."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import pytest
import redis

from models.states import Step
from tests.support.command import of_a_worker
from tests.support.first_process import AS_FIRST_PROCESS, first_process
from tests.support.messages import a_task
from tests.support.world import World, purchase
from worker.command_lines import Worker, worker_command
from worker.embedded import RedisServer

PATIENCE, LONGEST = 3.0, 5.0
WORKER = """
from worker import watchdog

watchdog.EVERY, watchdog.PATIENCE, watchdog.longest_delivery = 0.5, {patience}, lambda _: {longest}

from worker.celery_command import main
main()
"""
"""with times that are short enough for a test"""
LONG = 600.0
SMALL = 4096
"""bytes that the pipe holds: the lines of some orders fill it"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe cannot be made small")


@pytest.fixture
def env(world: World, world_database_url: str, redis_server: RedisServer) -> dict[str, str]:
    return of_a_worker(world, database=world_database_url, broker=redis_server.database(53))


@contextmanager
def worker(
    env: dict[str, str], *, patience: float, longest: float, within: Sequence[str] = ()
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A worker that is ready, and its log, which was read so far. within: the command that runs it."""
    log, written = os.pipe()
    fcntl.fcntl(written, fcntl.F_SETPIPE_SZ, SMALL)
    command = worker_command(Worker.ALL, concurrency=6)
    impatient = [*within, sys.executable, "-P", "-c", WORKER.format(patience=patience, longest=longest)]
    arguments = command[command.index("worker.celery_command") + 1 :]
    with subprocess.Popen([*impatient, *arguments], env=env, stderr=written) as process, os.fdopen(log, "rb"):
        os.close(written)
        said = b""
        while b" ready." not in said:
            said += (more := os.read(log, SMALL))
            assert more, said
        try:
            yield process, log
        finally:
            process.kill()


def begin(env: dict[str, str], *orders: UUID) -> None:
    with redis.Redis.from_url(env["PRORATA_BROKER_URL"]) as broker:
        for order_id in orders:
            message = a_task(Step.VALIDATE_CART, str(order_id))
            message["headers"]["argsrepr"] = repr((str(order_id),))  # as Celery writes it
            broker.lpush("orders", json.dumps(message))


@pytest.mark.parametrize(
    ("within", "status"),
    [
        pytest.param((), -signal.SIGKILL, id="beside others"),
        pytest.param(AS_FIRST_PROCESS, 137, id="as PID 1", marks=first_process),
    ],
)
def test_a_worker_whose_log_nobody_reads_any_more_ends(
    within: Sequence[str], status: int, world: World, env: dict[str, str]
) -> None:
    with worker(env, patience=PATIENCE, longest=LONG, within=within) as (process, _):
        begin(env, *(world.place(world.customer(), purchase()) for _ in range(6)))
        assert process.wait(timeout=60) == status


def test_a_worker_one_of_whose_deliveries_does_not_end_says_which_and_ends(world: World, env: dict[str, str]) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.mailbox.fail("slow", recipient=ada.email, seconds=60, times=1)
    with worker(env, patience=LONG, longest=LONGEST) as (process, log):
        begin(env, order_id)
        said = b""
        while more := os.read(log, SMALL):
            said += more
        assert process.wait(timeout=60) == -signal.SIGKILL
    last = json.loads(said.splitlines()[-1])
    assert last["event"] == "delivery never ends; ending its worker"
    assert [str(order_id) in each for each in last["deliveries"]] == [True]
