"""Faults between our processes and their servers."""

from collections.abc import Awaitable, Callable

from worker.drill.faults.kind import Fault, Strike


def _cut(name: str) -> Callable[[Strike], Awaitable[int]]:
    async def strike(on: Strike) -> int:
        return await on.aside(on.proxies.tell, "cut", name)

    return strike


def _half_open(name: str) -> Callable[[Strike], Awaitable[int]]:
    async def strike(on: Strike) -> int:
        return await on.aside(on.proxies.tell, "half-open", name, on.lasting)

    return strike


async def _commits_lost(on: Strike) -> int:
    return await on.aside(on.proxies.tell, "lose-commits", 3)


NETWORK = (
    Fault("Redis: connections cut", _cut("redis")),
    Fault("Redis: connections half-open", _half_open("redis")),
    Fault("PostgreSQL: connections cut", _cut("postgres")),
    Fault("PostgreSQL: connections half-open", _half_open("postgres")),
    Fault("PostgreSQL: COMMIT's answer lost", _commits_lost),
    Fault("Stripe: connections cut", _cut("stripe")),
)
