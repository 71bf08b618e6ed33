"""A worker that was stopped past its lease wakes up in the middle of a charge: another has finished it, and what it writes is refused."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from models.states import OrderStatus
from worker.commands.process import Worker, worker_command
from worker.drill.buying import Bought, Shop
from worker.drill.ground import Ground, ground
from worker.drill.kinds import KINDS
from worker.drill.reconcile import reconcile
from worker.drill.signals import frozen
from worker.drill.watch import Watch
from worker.processes import log_says
from worker.stack.processes import WORKERS

STALE = '"step": "collect_payment", "outcome": "held_by_another"'


@pytest.mark.timeout(400)
def test_what_a_worker_writes_after_its_lease_is_refused(tmp_path: Path) -> None:
    with ground(tmp_path, say=print) as prepared:
        bought = asyncio.run(charged_by_two_workers(prepared))
        with prepared.begin() as session:
            found = reconcile(session, prepared.books(), prepared.mails())
    assert bought.status is OrderStatus.COMPLETED
    assert found.findings == []
    assert found.charges == 1


async def charged_by_two_workers(prepared: Ground) -> Bought:
    stack, bought = prepared.stack, Bought(prepared.customers([KINDS[0]], named="sleeper")[0])
    prepared.stripe("latency", seconds=3)
    headers = {"Authorization": f"Bearer {prepared.key_for([bought.customer], named='sleeper')}"}
    async with (
        Watch(prepared.begin) as watch,
        httpx.AsyncClient(base_url=stack.addresses.api, headers=headers, timeout=30, trust_env=False) as http,
    ):
        shop = Shop(http, watch, deadline=time.monotonic() + 300)
        order_id = await shop.place(bought, await shop.quote(bought, bought.customer.kind.cart))
        await watch.happens(order_id, "charge.attempted", within=60)
        with frozen(stack, *WORKERS):
            another = worker_command(Worker.ALL, number=len(WORKERS) + 1)
            stack.processes.start(
                "another-worker", another, env=stack.variables, ready=log_says(" ready."), deadline=90
            )
            await watch.happens(order_id, "collect_payment.done", within=90)
            assert STALE not in told(prepared)
        await asyncio.wait_for(asyncio.to_thread(said, prepared), 120)
        await shop.follow(bought)
    return bought


def told(prepared: Ground) -> str:
    return "".join(prepared.stack.processes.children[name].output() for name in WORKERS)


def said(prepared: Ground) -> None:
    """Returns once the first worker has said that the order is another's."""
    give_up_at = time.monotonic() + 110
    while STALE not in told(prepared):
        assert time.monotonic() < give_up_at, "the stale worker never said that the order is another's"
        time.sleep(0.1)
