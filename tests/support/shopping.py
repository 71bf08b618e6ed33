"""Orders through a whole stack, as a customer of its API makes them."""

import asyncio
import time
from collections.abc import Sequence

import httpx

from worker.drill.buying import Bought, Shop
from worker.drill.ground import Ground
from worker.drill.kinds import Kind
from worker.drill.watch import Watch


def bought(prepared: Ground, kinds: Sequence[Kind], *, named: str) -> list[Bought]:
    """One order of each kind, side by side, each followed to its end."""
    return asyncio.run(_bought(prepared, kinds, named=named))


async def _bought(prepared: Ground, kinds: Sequence[Kind], *, named: str) -> list[Bought]:
    customers = prepared.customers(kinds, named=named)
    headers = {"Authorization": f"Bearer {prepared.key_for(customers, named=named)}"}
    address = prepared.stack.addresses.api
    async with (
        Watch(prepared.begin) as watch,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as http,
    ):
        shop = Shop(http, watch, deadline=time.monotonic() + 200)

        async def buy(one: Bought) -> Bought:
            await shop.place(one, await shop.quote(one, one.customer.kind.cart))
            await shop.follow(one)
            return one

        return list(await asyncio.gather(*(buy(Bought(customer)) for customer in customers)))
