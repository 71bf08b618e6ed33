"""`prorata drill storm`: orders are placed over HTTP while everything that can fail does; then calm, quiet, reconciliation."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from models.states import OrderStatus
from worker.drill.audit import audit
from worker.drill.buying import Bought, GaveUp, Shop
from worker.drill.detour import Proxies
from worker.drill.faults import FAULTS, Fault, Strike
from worker.drill.ground import Customer, Ground
from worker.drill.journeys import Journey, for_orders
from worker.drill.storm_report import StormReport
from worker.drill.watch import Watch

LASTING_SHARE = 0.1
"""how much of the storm a lasting fault lasts"""
LONGEST = 60.0
"""seconds that it lasts at most"""

Progress = Callable[[float, str], None]
"""called with seconds since the storm began, and what happens"""


def run(ground: Ground, proxies: Proxies, *, orders: int, seed: int, seconds: float, progress: Progress) -> StormReport:
    began = time.monotonic()
    report = StormReport(seed, orders, seconds / 60)
    journeys = for_orders(orders)
    progress(0.0, f"{len(journeys)} accounts, their cards and their balances")
    customers = ground.customers([journey.who for journey in journeys], named=f"storm-{seed}")
    storm = _Storm(ground, proxies, report, random.Random(seed), seconds, progress)  # noqa: S311 - a storm, not a secret
    asyncio.run(storm.run(list(zip(customers, journeys, strict=True))))
    progress(time.monotonic() - storm.began, "reconciling")
    with ground.begin() as session:
        told = {each.order_id: (each.due_minor, each.currency) for each in report.bought if each.order_id is not None}
        report.audit = audit(session, ground.books(), ground.mails(), told=told)
    report.seconds = time.monotonic() - began
    return report


@dataclass
class _Storm:
    ground: Ground
    proxies: Proxies
    report: StormReport
    luck: random.Random
    seconds: float
    progress: Progress
    began: float = 0.0
    ordered: int = 0

    async def run(self, everybody: Sequence[tuple[Customer, Journey]]) -> None:
        key = self.ground.key_for([customer for customer, _ in everybody], named="storm")
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=60, max_keepalive_connections=20)
        async with (
            Watch(self.ground.begin) as watch,
            httpx.AsyncClient(
                base_url=self.ground.stack.addresses.api, headers=headers, timeout=15, limits=limits, trust_env=False
            ) as http,
        ):
            self.began = time.monotonic()
            shop = Shop(http, watch, deadline=self.began + self.seconds + self.report.patience)
            buying = [
                asyncio.create_task(self._customer(shop, *each, after=0.7 * self.seconds * number / len(everybody)))
                for number, each in enumerate(everybody)
            ]
            await self._strike_all()
            self.say("calm")
            await asyncio.to_thread(self.ground.calm_stand_ins)
            await self._quiet(watch, buying)

    async def _customer(self, shop: Shop, customer: Customer, journey: Journey, *, after: float) -> None:
        await asyncio.sleep(after)
        for number, cart in enumerate(journey.carts):
            if self.ordered >= self.report.wanted:
                return
            self.ordered += 1
            bought = Bought(customer, journey.during(number))
            self.report.bought.append(bought)
            try:
                await shop.place(bought, await shop.quote(bought, cart))
                await shop.follow(bought)
            except (GaveUp, TimeoutError) as error:
                bought.trouble = str(error) or "waited in vain"
                return
            if bought.status is OrderStatus.NEEDS_ATTENTION:
                return

    async def _strike_all(self) -> None:
        """Every kind once, in the seed's order, then kinds by chance; spread evenly over the storm."""
        lasting = min(LONGEST, LASTING_SHARE * self.seconds)
        strike = Strike(self.ground, self.proxies, self.luck, lasting)
        times = max(len(FAULTS), round(self.seconds / 3))
        kinds = self.luck.sample(FAULTS, len(FAULTS)) + self.luck.choices(FAULTS, k=times - len(FAULTS))
        striking = []
        for number, fault in enumerate(kinds):
            due = self.began + self.seconds * (0.05 + 0.9 * number / times)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            striking.append(asyncio.create_task(self._strike(fault, strike)))
        await asyncio.gather(*striking)

    async def _strike(self, fault: Fault, strike: Strike) -> None:
        try:
            hits = await fault.strike(strike)
        except Exception as error:  # noqa: BLE001 - a fault that cannot strike is reported, and no reason to stop the storm
            self.report.missed[fault.name] = f"{type(error).__name__}: {error}"[:200]
            self.say(f"{fault.name}: could not strike, {type(error).__name__}")
            return
        self.report.strikes[fault.name] += 1
        self.report.hits[fault.name] += hits
        self.say(f"{fault.name} ({hits})")

    async def _quiet(self, watch: Watch, buying: "Sequence[asyncio.Task[None]]") -> None:
        ended = time.monotonic()
        left: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]] = buying
        while left and time.monotonic() < ended + self.report.patience + 10:
            _, left = await asyncio.wait(left, timeout=5)
            self.say(f"{len(left)} customers still buy")
        await asyncio.gather(*buying)
        try:
            await watch.quiet(within=max(5.0, ended + self.report.patience - time.monotonic()))
        except TimeoutError as error:
            self.say(str(error))
        else:
            self.report.quiet_after = time.monotonic() - ended

    def say(self, what: str) -> None:
        self.progress(time.monotonic() - self.began, f"{len(self.report.placed):5} placed  {what}")
