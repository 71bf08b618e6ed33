"""The workers that `prorata worker` starts, by name."""

from enum import StrEnum


class Worker(StrEnum):
    ALL = "all"
    ORDERS = "orders"
    PAYMENTS = "payments"
    MAIL = "mail"


class Pool(StrEnum):
    PREFORK = "prefork"
    THREADS = "threads"
    SOLO = "solo"


WORKERS = {
    Worker.ALL: ("orders,payments,mail,upkeep", Pool.THREADS, 24),
    Worker.ORDERS: ("orders,upkeep", Pool.PREFORK, 2),
    Worker.PAYMENTS: ("payments", Pool.THREADS, 16),
    Worker.MAIL: ("mail", Pool.THREADS, 8),
}
"""Queues, pool and concurrency. A worker that takes all queues does an order's six steps without a message in between: one such
worker per processor is the fastest. The other three keep the waiting for a bank or a mail server away from everything else."""

KNOWN_QUEUES = tuple(WORKERS[Worker.ALL][0].split(","))


def worker_name(name: Worker, number: int | None) -> str:
    """What Celery knows it by on its host."""
    return name if number is None else f"{name}-{number}"
