"""A worker whose terminal hangs up, or that is sent HUP, ends as if it were told to."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import SETTINGS
from worker.command_lines import Pool, Worker, worker_command
from worker.embedded import RedisServer
from worker.processes import Supervisor, log_says

HUP = 1 << signal.SIGHUP - 1


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as made:
        yield made


@pytest.fixture
def env(fresh_database_url: str, redis_server: RedisServer) -> dict[str, str]:
    servers = {"PRORATA_DATABASE_URL": fresh_database_url, "PRORATA_BROKER_URL": redis_server.database(50)}
    return os.environ | SETTINGS | servers


@pytest.mark.parametrize("pool", [Pool.THREADS, Pool.PREFORK])
def test_a_worker_that_is_hung_up_ends_by_itself(processes: Supervisor, env: dict[str, str], pool: Pool) -> None:
    command = worker_command(Worker.ORDERS, pool=pool, concurrency=1)
    child = processes.start("worker", command, env=env, ready=log_says(" ready."), deadline=240)
    child.kill(signal.SIGHUP)
    assert child.wait(timeout=240) == 0
    assert "Warm shutdown" in child.output()
    assert "Traceback" not in child.output()


@pytest.mark.skipif(sys.platform != "linux", reason="what a process ignores is read from /proc")
def test_under_nohup_the_signal_stays_ignored(processes: Supervisor, env: dict[str, str]) -> None:
    command = ["nohup", *worker_command(Worker.ORDERS, pool=Pool.THREADS, concurrency=1)]
    child = processes.start("worker", command, env=env, ready=log_says(" ready."), deadline=240)
    status = Path(f"/proc/{child.pid}/status").read_text()
    assert int(status.partition("SigIgn:")[2].split()[0], 16) & HUP
