"""The proxies' place between our processes and their servers, and the levers to them."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from worker.drill.proxy import LOOPBACK
from worker.processes import Supervisor, log_says

BEHIND = {"postgres": "PRORATA_DATABASE_URL", "redis": "PRORATA_BROKER_URL", "stripe": "PRORATA_STRIPE_API_BASE"}


@dataclass(slots=True)
class Proxies:
    """What `worker.drill.proxy` does, by name of the server behind it: postgres, redis, stripe."""

    supervisor: Supervisor
    control: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def detour(self, variables: dict[str, str]) -> dict[str, str]:
        """Start a proxy in front of each server; returns the variables with the proxies' addresses instead."""
        self.control = self.supervisor.port()
        fronts = []
        detoured = dict(variables)
        for name, variable in BEHIND.items():
            front = self.supervisor.port()
            target = urlsplit(variables[variable]).port
            fronts.append(f"{name}:{front}:{target}")
            detoured[variable] = with_port(variables[variable], front)
        command = [sys.executable, "-m", "worker.drill.proxy", str(self.control), *fronts]
        self.supervisor.start("proxies", command, ready=log_says("ready"))
        return detoured

    def tell(self, *order: object) -> int:
        """Returns how many connections it concerns."""
        with self._lock, socket.create_connection((LOOPBACK, self.control), timeout=60) as connection:
            connection.sendall((" ".join(map(str, order)) + "\n").encode())
            return int(connection.makefile().readline())


@contextmanager
def proxies(folder: Path) -> Iterator[Proxies]:
    """They start with the stack they are for, and end after it."""
    with Supervisor(folder) as supervisor:
        yield Proxies(supervisor)


def with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{parts.hostname}:{port}"))
