"""The command lines of the processes: workers by name, beat, API and Flower."""

import sys
from enum import StrEnum

from tasks.queues import QUEUE_NAMES


class Worker(StrEnum):
    ALL = "all"
    ORDERS = "orders"
    PAYMENTS = "payments"
    MAIL = "mail"


class Pool(StrEnum):
    PREFORK = "prefork"
    THREADS = "threads"
    SOLO = "solo"


_APART = ("payments", "mail")
"""what waits for a bank or a mail server"""

WORKERS = {
    Worker.ALL: (",".join(QUEUE_NAMES), Pool.THREADS, 24),
    Worker.ORDERS: (",".join(name for name in QUEUE_NAMES if name not in _APART), Pool.PREFORK, 2),
    Worker.PAYMENTS: ("payments", Pool.THREADS, 16),
    Worker.MAIL: ("mail", Pool.THREADS, 8),
}
"""Queues, pool and concurrency. A worker that takes all queues does an order's steps without a message in between: one such
worker per processor is the fastest. The other three keep the waiting for a bank or a mail server away from everything else."""


def worker_name(name: Worker, number: int | None) -> str:
    """What Celery knows it by on its host."""
    return name if number is None else f"{name}-{number}"


def worker_command(
    name: Worker,
    *,
    number: int | None = None,
    queues: str | None = None,
    pool: Pool | None = None,
    concurrency: int | None = None,
) -> list[str]:
    """The command line of a worker. number: which of several of that name on one host."""
    own_queues, own_pool, own_concurrency = WORKERS[name]
    return [
        *_celery("worker.app", "worker"),
        f"--hostname={worker_name(name, number)}@%h",
        f"--queues={queues or own_queues}",
        f"--pool={pool or own_pool}",
        f"--concurrency={concurrency or own_concurrency}",
        "--loglevel=INFO",
        "--without-mingle",
        "--without-gossip",
    ]


def beat_command() -> list[str]:
    return [*_celery("worker.messaging", "beat"), "--pidfile=", "--loglevel=INFO"]


def api_command(*, host: str, port: int) -> list[str]:
    return [*python("worker.entry"), "api", f"--host={host}", f"--port={port}"]


SHOWN_IN_FLOWER = 20_000
"""tasks, the newest; it keeps them in memory, 5 KB each"""


def flower_command(*, host: str, port: int) -> list[str]:
    """For looking only: whoever reaches it can put no task into a queue."""
    where = (f"--address={host}", f"--port={port}")
    return [*_celery("worker.messaging", "flower"), *where, f"--max_tasks={SHOWN_IN_FLOWER}", "--read_only=true"]


def _celery(app: str, subcommand: str) -> list[str]:
    return [*python("worker.celery_command"), f"--app={app}", "--quiet", subcommand]


def python(module: str) -> list[str]:
    """-P: the current folder is no place to import from; a `models` that lies there is somebody else's."""
    return [sys.executable, "-P", "-m", module]
