"""Faults of our own processes: killed, told to end, stopped past their lease."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from worker.drill.faults.kind import Fault, Strike
from worker.drill.signals import frozen
from worker.processes import ChildFailed
from worker.stack.processes import WORKERS

PAST_THE_LEASE = 11.0
"""seconds; a lease is 8"""


def _signals(number: signal.Signals, *names: str) -> Callable[[Strike], Awaitable[int]]:
    async def strike(on: Strike) -> int:
        name = on.luck.choice(names)
        async with on.turn(name):
            try:
                await on.aside(on.ground.stack.processes.kill, name, number)
            except ChildFailed:  # between an end and its next start
                return 0
        return 1

    return strike


async def _stopped(on: Strike) -> int:
    """A worker that is stopped past its lease wakes up to find that another has taken it over: its writes are refused."""
    name = on.luck.choice(WORKERS)
    async with on.turn(name):
        with frozen(on.ground.stack, name) as processes:
            await asyncio.sleep(PAST_THE_LEASE)
        return processes


PROCESSES = (
    Fault("worker: kill -9", _signals(signal.SIGKILL, *WORKERS)),
    Fault("worker: TERM", _signals(signal.SIGTERM, *WORKERS)),
    Fault("worker: stopped past its lease, continued", _stopped),
    Fault("beat, and with it relay and sweep: kill -9", _signals(signal.SIGKILL, "beat")),
    Fault("API: kill -9", _signals(signal.SIGKILL, "api")),
    Fault("Stripe: kill -9", _signals(signal.SIGKILL, "stripe")),
)
