"""A worker that was stopped past its lease: another has finished its order, nobody waits for its locks, and what it writes is refused."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from models.states import OrderStatus
from worker import drill_points
from worker.command_lines import Worker, worker_command
from worker.drill.audit import audit
from worker.drill.buying import Bought, Shop
from worker.drill.ground import Ground, ground
from worker.drill.kinds import KINDS
from worker.drill.signals import frozen
from worker.drill.watch import Watch
from worker.processes import log_says
from worker.stack.processes import WORKERS

WAITS_FOR_THE_BANK = {"PRORATA_STRIPE_TIMEOUT_SECONDS": "45"}
"""longer than it takes to freeze a worker, on any machine"""
STALE = '"step": "collect_payment", "outcome": "held_by_another"'


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("ground"), chosen=WAITS_FOR_THE_BANK, say=print) as prepared:
        yield prepared


def charges_where_all_is_well(prepared: Ground) -> int:
    with prepared.begin() as session:
        found = audit(session, prepared.books(), prepared.mails())
    assert found.findings == []
    return found.charges


@pytest.mark.timeout(900)
def test_what_a_worker_writes_after_its_lease_is_refused(prepared: Ground) -> None:
    before = charges_where_all_is_well(prepared)
    bought = asyncio.run(charged_by_two_workers(prepared))
    prepared.stack.processes.kill("another-worker")
    assert bought.status is OrderStatus.COMPLETED
    assert charges_where_all_is_well(prepared) == before + 1


async def charged_by_two_workers(prepared: Ground) -> Bought:
    stack = prepared.stack
    bank_hangs(prepared)
    async with shopping(prepared, "sleeper", within=300) as (shop, watch, [bought]):
        order_id = await shop.place(bought, await shop.quote(bought, bought.customer.kind.cart))
        await watch.happens(order_id, "charge.attempted", within=240)
        with frozen(stack, *WORKERS):
            prepared.calm_stand_ins()
            another = worker_command(Worker.ALL, number=len(WORKERS) + 1)
            stack.processes.start(
                "another-worker", another, env=stack.variables, ready=log_says(" ready."), deadline=240
            )
            await watch.happens(order_id, "collect_payment.done", within=240)
            assert STALE not in told(prepared)
        await asyncio.wait_for(asyncio.to_thread(said, prepared), 120)
        await shop.follow(bought)
    return bought


@pytest.mark.timeout(900)
def test_a_worker_frozen_in_a_transaction_holds_up_nobody_for_long(prepared: Ground) -> None:
    """It has the account's row and the series of invoice numbers, which every order needs."""
    before = charges_where_all_is_well(prepared)
    orders = asyncio.run(bought_while_one_is_frozen(prepared))
    assert [order.status for order in orders] == [OrderStatus.COMPLETED] * 2
    assert charges_where_all_is_well(prepared) == before + 2


def freeze_at(folder: Path, place: str, subject: object) -> None:
    """The next process that reaches `place` with `subject` stops there, as if its machine did, until it gets SIGCONT."""
    name = f"{place}.{subject}"
    (folder / drill_points.TAKEN).mkdir(parents=True, exist_ok=True)
    (folder / drill_points.TAKEN / name).write_text(signal.SIGSTOP.name)
    (folder / drill_points.TAKEN / name).rename(folder / name)  # atomic: never there half-written


async def bought_while_one_is_frozen(prepared: Ground) -> list[Bought]:
    async with shopping(prepared, "held", "free", within=300) as (shop, watch, [held, free]):
        quotes = [await shop.quote(bought, bought.customer.kind.cart) for bought in (held, free)]
        bank_hangs(prepared)
        order_id = await shop.place(held, quotes[0])
        freeze_at(prepared.deaths, ACTIVATED, order_id)
        prepared.calm_stand_ins()
        await asyncio.wait_for(asyncio.to_thread(frozen_there, prepared, order_id), 60)
        await shop.place(free, quotes[1])
        for bought in (free, held):
            await shop.follow(bought)
        with frozen(prepared.stack, *WORKERS):
            """Both, and at the end both go on: the one that is as well."""
        await watch.quiet(within=240)
    return [held, free]


def bank_hangs(prepared: Ground) -> None:
    """The next charge is not answered before the stand-ins are calmed: until then an order does not get past it."""
    prepared.stripe("faults", kind="hang", operation="payment_intents.create", times=1, seconds=600)


@asynccontextmanager
async def shopping(prepared: Ground, *names: str, within: float) -> AsyncIterator[tuple[Shop, Watch, list[Bought]]]:
    """A purchase for each name, by a customer of its own; within: seconds that all may take."""
    customers = [prepared.customers([KINDS[0]], named=name)[0] for name in names]
    headers = {"Authorization": f"Bearer {prepared.key_for(customers, named=names[0])}"}
    address = prepared.stack.addresses.api
    async with (
        Watch(prepared.begin) as watch,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as http,
    ):
        yield Shop(http, watch, deadline=time.monotonic() + within), watch, [Bought(each) for each in customers]


ACTIVATED = "activate_subscription.called"
"""not yet committed"""


def frozen_there(prepared: Ground, order_id: UUID) -> None:
    while drill_points.died_at(prepared.deaths, ACTIVATED, order_id) is None:
        time.sleep(0.05)


def told(prepared: Ground) -> str:
    return "".join(prepared.stack.processes.children[name].output() for name in WORKERS)


def said(prepared: Ground) -> None:
    """Returns once the first worker has said that the order is another's."""
    give_up_at = time.monotonic() + 240
    while STALE not in told(prepared):
        assert time.monotonic() < give_up_at, "the stale worker never said that the order is another's"
        time.sleep(0.1)
