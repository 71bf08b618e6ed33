"""Something that a measurement needs is killed: the error names it, whatever else fails then, and nobody is left behind."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.contestants import PEERS
from benchmarks.driving import DriverFailed
from benchmarks.servers import MIGRATED, Servers
from benchmarks.turn import Started, started
from worker.embedded import PostgresServer, RedisServer, postgres
from worker.processes import ChildFailed


@pytest.fixture
def servers(postgres_server: PostgresServer, redis_server: RedisServer) -> Servers:
    return Servers(postgres_server, redis_server)


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert [child for child in left if child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_worker_that_dies_is_named_while_its_orders_are_awaited(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match=r"^worker ended by itself"), started(_CHAIN, servers, tmp_path) as it:
        _after_the_end_of("worker", it, it.driver.burst)


def test_a_driver_that_dies_leaves_its_log_and_no_broken_pipe(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(DriverFailed, match=r"^driver ended"), started(_CHAIN, servers, tmp_path) as it:
        _after_the_end_of("driver", it, it.driver.burst)


def test_postgresql_killed_is_the_first_cause(redis_server: RedisServer, tmp_path: Path) -> None:
    with postgres(tmp_path / "postgres", durable=False) as database:
        own = Servers(database, redis_server)
        own.database(MIGRATED, migrated=False)
        with pytest.raises(ChildFailed, match=r"^postgres ended by itself"), started(_DURABLE, own, tmp_path) as it:
            _after_the_end_of("postgres", it, it.driver.prepare)


_CHAIN, _DURABLE = PEERS["bare_chain"], PEERS["naive"]


def _after_the_end_of(name: str, it: Started, tell: Callable[[int], object]) -> None:
    victim = psutil.Process(it.own[name])
    os.kill(victim.pid, signal.SIGKILL)
    psutil.wait_procs([victim], timeout=10)
    tell(20)
