"""What takes part in a measurement: processes that work, and a load that sends them orders and sees them done."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from worker.stack.processes import Process


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a peer finds what it needs, for one turn. folder: scratch, in memory where the machine has that."""

    database_url: str
    broker_url: str
    folder: Path
    reserve_port: Callable[[], int]

    @property
    def variables(self) -> dict[str, str]:
        """For the peers' processes, which read them in `benchmarks.peers.environment`."""
        return {"BENCH_DATABASE_URL": self.database_url, "BENCH_BROKER_URL": self.broker_url}


@dataclass(frozen=True, slots=True)
class Processes:
    own: list[Process]
    """what the peer runs on; its processor time counts"""
    world: list[Process] = field(default_factory=list)
    """stand-ins for others' services; their processor time is reported apart"""
    variables: Mapping[str, str] = field(default_factory=dict)
    """for the process that loads them"""


class Load(Protocol):
    """Lives in a process of its own, `benchmarks.driver`."""

    def prepare(self, orders: int) -> None:
        """Whatever must be there before orders can be sent; not measured."""

    def send(self, orders: int) -> None:
        """Start the next `orders` of those prepared on their way."""

    def done(self) -> int:
        """How many orders have gone all the way so far."""


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    title: str
    packages: tuple[str, ...]
    """distributions whose versions are worth printing"""
    arrange: Callable[[Setting], Processes]
    load: str
    """its Load, as `module:name`: only the driver imports it"""
    needs_schema: bool = False
    """whether its database has Prorata's tables"""


PATIENCE = 30.0
"""seconds without a single order done"""


def wait_for(done: Callable[[], int], goal: int, *, pause: float) -> None:
    """Look every `pause` seconds. Raises TimeoutError where nothing moves any more."""
    reached = done()
    give_up_at = time.monotonic() + PATIENCE
    while reached < goal:
        time.sleep(pause)
        before, reached = reached, done()
        if reached > before:
            give_up_at = time.monotonic() + PATIENCE
        elif time.monotonic() > give_up_at:
            raise TimeoutError(f"{reached} of {goal} orders done, and no other in {PATIENCE:g} s")
