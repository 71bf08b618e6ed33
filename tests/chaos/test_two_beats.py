"""Two beats at once: everything recurring happens twice as often, and no order notices."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from models.states import OrderStatus
from worker.commands.process import beat_command
from worker.drill import kinds
from worker.drill.buying import Bought, Shop
from worker.drill.ground import Ground, ground
from worker.drill.reconcile import reconcile
from worker.drill.watch import Watch

KINDS = [kind for kind in kinds.KINDS if not kind.subscriptions and kind.ends_as is OrderStatus.COMPLETED]


@pytest.mark.timeout(300)
def test_with_two_beats_every_order_goes_its_way_once(tmp_path: Path) -> None:
    with ground(tmp_path, say=print) as prepared:
        stack = prepared.stack
        stack.processes.start("another-beat", beat_command(tmp_path / "another-schedule"), env=stack.variables)
        bought = asyncio.run(all_bought(prepared))
        with prepared.begin() as session:
            found = reconcile(session, prepared.books(), prepared.mails())
        stack.check()
    assert [each.status for each in bought] == [OrderStatus.COMPLETED] * len(KINDS)
    assert len(KINDS) > 3
    assert found.findings == []


async def all_bought(prepared: Ground) -> list[Bought]:
    customers = prepared.customers(KINDS, named="beats")
    headers = {"Authorization": f"Bearer {prepared.key_for(customers, named='beats')}"}
    address = prepared.stack.addresses.api
    async with (
        Watch(prepared.begin) as watch,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as http,
    ):
        shop = Shop(http, watch, deadline=time.monotonic() + 200)

        async def buy(bought: Bought) -> Bought:
            await shop.place(bought, await shop.quote(bought, bought.customer.kind.cart))
            await shop.follow(bought)
            return bought

        return list(await asyncio.gather(*(buy(Bought(customer)) for customer in customers)))
