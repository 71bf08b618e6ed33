"""`prorata drill storm`: orders are placed over HTTP while everything that can fail does; then calm, quiet, reconciliation."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from models.states import FINAL, OrderStatus
from worker.drill.buying import Bought, GaveUp, Shop
from worker.drill.detour import Proxies
from worker.drill.faults import FAULTS, Fault, Strike
from worker.drill.ground import Customer, Ground
from worker.drill.journeys import Journey, for_orders
from worker.drill.kinds import Doing
from worker.drill.reconcile import Reconciled, reconcile
from worker.drill.watch import Watch

QUIET_WITHIN, PER_ORDER = 300.0, 0.1
"""seconds after the storm within which every order has to end, and how many more each order adds"""
LASTING_SHARE, LONGEST = 0.1, 60.0
"""a lasting fault lasts a tenth of the storm, a minute at most"""

ENDS: Final[Mapping[Doing, frozenset[OrderStatus]]] = {
    Doing.NOTHING: frozenset({OrderStatus.COMPLETED}),
    Doing.CANCEL_WHILE_CHARGED: frozenset({OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUNDED}),
}
"""how an order may end, whatever faults strike; one whose cancellation came too late is completed"""

Progress = Callable[[float, str], None]
"""called with seconds since the storm began, and what happens"""


@dataclass(slots=True)
class StormReport:
    seed: int
    wanted: int
    strikes: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    missed: dict[str, str] = field(default_factory=dict)
    """faults that could not strike, and why"""
    bought: list[Bought] = field(default_factory=list)
    quiet_after: float | None = None
    """seconds from the end of the storm; None: never"""
    reconciled: Reconciled = field(default_factory=Reconciled)
    seconds: float = 0.0

    @property
    def patience(self) -> float:
        """Seconds after the storm in which all has to be quiet."""
        return QUIET_WITHIN + PER_ORDER * self.wanted

    @property
    def troubles(self) -> list[str]:
        lost = [f"{each.key}: {each.trouble}" for each in self.bought if each.trouble]
        otherwise = [
            f"{each.key}: ended as {each.status}, and it should be {' or '.join(sorted(ENDS[each.doing]))}"
            for each in self.bought
            if each.status in FINAL and each.status not in ENDS[each.doing]
        ]
        quiet = [] if self.quiet_after is not None else [f"not quiet {self.patience:g} s after the storm"]
        never = [
            f"{fault.name} never struck: {self.missed.get(fault.name)}"
            for fault in FAULTS
            if not self.strikes[fault.name]
        ]
        few = [f"{len(self.placed)} orders placed, {self.wanted} wanted"] if len(self.placed) < self.wanted else []
        return lost + otherwise + quiet + never + few

    @property
    def placed(self) -> list[Bought]:
        return [each for each in self.bought if each.order_id is not None]

    @property
    def passed(self) -> bool:
        return not self.troubles and not self.reconciled.findings


def run(ground: Ground, proxies: Proxies, *, orders: int, seed: int, seconds: float, progress: Progress) -> StormReport:
    began = time.monotonic()
    report = StormReport(seed, orders)
    journeys = for_orders(orders)
    progress(0.0, f"{len(journeys)} accounts, their cards and their balances")
    customers = ground.customers([journey.who for journey in journeys], named=f"storm-{seed}")
    storm = _Storm(ground, proxies, report, random.Random(seed), seconds, progress)  # noqa: S311 - a storm, not a secret
    asyncio.run(storm.run(list(zip(customers, journeys, strict=True))))
    progress(time.monotonic() - storm.began, "reconciling")
    with ground.begin() as session:
        told = {each.order_id: (each.due_minor, each.currency) for each in report.bought if each.order_id is not None}
        report.reconciled = reconcile(session, ground.books(), ground.mails(), told=told)
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
