"""A worker that could open too few files says so at its start, instead of standing still later."""

import os
import resource
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from tests.support.command import SETTINGS
from worker import descriptors
from worker.command_lines import Pool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python itself may need more")

CHECK = "from worker import command_lines, descriptors; descriptors.check(command_lines.Pool.THREADS, concurrency=24)"


def limited(limit: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", "-c", f'ulimit -n {limit} && exec "$0" "$@"', sys.executable, "-P", *arguments]
    return subprocess.run(command, env=os.environ | SETTINGS, capture_output=True, text=True, timeout=120, check=False)


def test_a_worker_that_could_work_on_nothing_does_not_start_and_says_what_to_do() -> None:
    ended = limited(40, "-m", "worker.entry", "worker")
    assert (ended.returncode, ended.stderr) == (
        1,
        "A worker may open 40 files here, and needs 122: "
        "raise its limit (`ulimit -n`, `LimitNOFILE=` in systemd, `ulimits: nofile` in Docker).\n",
    )


def test_a_pool_of_processes_that_could_not_start_all_of_them_does_not_start() -> None:
    ended = limited(100, "-m", "worker.entry", "worker", "orders", "-c", "30")
    assert (ended.returncode, ended.stderr.partition(":")[0]) == (
        1,
        "A worker may open 100 files here, and needs 230",
    )


@pytest.mark.parametrize(("limit", "warns"), [(53, True), (121, True), (122, False)])
def test_one_that_could_not_work_on_all_that_comes_at_once_warns(limit: int, warns: bool) -> None:
    ended = limited(limit, "-c", CHECK)
    assert (ended.returncode, "worker may open too few files" in ended.stdout) == (0, warns)


def test_the_usual_limit_is_enough_for_three_hundred_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with capture_logs() as logs:
        descriptors.check(Pool.THREADS, concurrency=300)
    assert logs == []
