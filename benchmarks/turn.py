"""One peer's turn: started, warmed up, measured in a burst and with one order alone, stopped."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from benchmarks.driving import RemoteDriver, driver
from benchmarks.first_cause import naming_the_first
from benchmarks.peer import Peer, Setting
from benchmarks.servers import Servers
from worker.processes import ChildFailed, Supervisor
from worker.stack.processes import Process, sealed


@dataclass(frozen=True, slots=True)
class Size:
    orders: int
    """in the burst"""
    alone: int
    """one after the other"""
    warm_up: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave; seconds throughout."""

    orders: int
    seconds: float
    own: dict[str, float]
    """processor time in the burst, by process"""
    world: dict[str, float]
    """the same of the stand-ins"""
    alone: list[float]
    memory: dict[str, float]
    """megabytes after the burst, of the peer's own processes"""

    @property
    def rate(self) -> float:
        return self.orders / self.seconds


@dataclass(frozen=True, slots=True)
class Started:
    """A peer at work. own, world: process ids by name; variables: what its driver was told."""

    driver: RemoteDriver
    own: dict[str, int]
    world: dict[str, int]
    variables: Mapping[str, str]
    database_url: str

    def warm_up(self, orders: int) -> None:
        self.driver.prepare(orders)
        self.driver.burst(orders)

    def rate(self, orders: int) -> float:
        """Of one burst, orders per second."""
        self.driver.prepare(orders)
        return orders / self.driver.burst(orders)


def take(peer: Peer, servers: Servers, folder: Path, size: Size) -> Turn:
    with started(peer, servers, folder) as it:
        it.warm_up(size.warm_up)
        return measured(it, servers, orders=size.orders, alone=size.alone)


def measured(it: Started, servers: Servers, *, orders: int, alone: int) -> Turn:
    """A burst of `orders`, then `alone` of them one after the other."""
    it.driver.prepare(orders)
    servers.execute("CHECKPOINT")
    own, world = usage.processor(it.own), usage.processor(it.world)
    seconds = it.driver.burst(orders)
    spent_own, spent_world = usage.processor(it.own).since(own), usage.processor(it.world).since(world)
    held = usage.memory({name: pid for name, pid in it.own.items() if name not in SHARED})
    return Turn(orders, seconds, spent_own, spent_world, it.driver.alone(alone), held)


SHARED = ("postgres", "redis", "driver")


@contextmanager
def started(peer: Peer, servers: Servers, folder: Path, *, log_statements: bool = False) -> Iterator[Started]:
    """On a database of its own, on servers that nobody else is using. Raises ChildFailed, DriverFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    servers.level_ground()
    with ExitStack() as exits:
        url = exits.enter_context(_database(peer, servers, log_statements=log_statements))
        supervisor = exits.enter_context(Supervisor(folder))
        watch = exits.enter_context(naming_the_first(lambda: [*servers.children, *supervisor.children.values()]))
        setting = Setting(url, servers.redis.url, folder, supervisor.port)
        processes = peer.arrange(setting)
        start_all(supervisor, [*processes.world, *processes.own])
        at_work = exits.enter_context(driver(peer.load, processes.variables, folder, watch))
        shared = {"postgres": servers.postgres.child.pid, "redis": servers.redis.child.pid, "driver": at_work.pid}
        own = {process.name: supervisor.children[process.name].pid for process in processes.own}
        world = {process.name: supervisor.children[process.name].pid for process in processes.world}
        yield Started(at_work, _known(own | shared), _known(world), processes.variables, url)


@contextmanager
def _database(peer: Peer, servers: Servers, *, log_statements: bool) -> Iterator[str]:
    """Dropped after a turn that went well; after another everything ends, and PostgreSQL itself may be gone."""
    url = servers.database(peer.name, migrated=peer.needs_schema)
    if log_statements:
        servers.execute(f"ALTER DATABASE {peer.name} SET log_statement = 'all'")
    yield url
    servers.postgres.drop_database(peer.name)


_DEADLINE = 60.0
"""seconds for all processes to be ready"""


def start_all(supervisor: Supervisor, wanted: Sequence[Process]) -> None:
    """All at once, then wait for each. Raises ChildFailed."""
    children = {supervisor.start(each.name, sealed(each), env=each.env): each for each in wanted}
    give_up_at = time.monotonic() + _DEADLINE
    for child, process in children.items():
        while not process.ready(child):
            if not child.running() or time.monotonic() > give_up_at:
                raise ChildFailed(child.obituary("was not ready"))
            time.sleep(0.02)


def _known(pids: dict[str, int | None]) -> dict[str, int]:
    return {name: pid for name, pid in pids.items() if pid is not None}
