"""`prorata drill`: a process killed at every named place of every step, each with an order of some kind at that very place."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import OrderEvent
from models.states import OrderStatus
from models.timeline_kinds import Kind
from worker import drill_points
from worker.drill.audit import Audit, audit
from worker.drill.buying import Bought, GaveUp, Shop
from worker.drill.cells import KEY_SPENT, RELAY, Cell
from worker.drill.ground import Customer, Ground
from worker.drill.signals import frozen
from worker.drill.watch import Watch
from worker.stack.processes import WORKERS

PROMISED = 15.0
"""seconds within which an order goes on after a single kill"""
BANK_TAKES = 0.8
MAIL_SERVER_TAKES = 0.3
"""seconds that the stand-ins take for a call, so that a process can die during it"""
STRIPE_FINISHES = 30.0
"""seconds until what Stripe began before it failed takes effect: longer than a dead worker's order waits for another"""
WAVE = 180.0

Progress = Callable[[int, int, str], None]
"""called with waves done, waves in all, and what is going on"""


@dataclass(slots=True)
class Killed:
    """What came of one kill."""

    cell: Cell
    bought: Bought
    died_at: float | None = None
    """seconds since the epoch"""
    went_on_after: float | None = None
    """seconds; None where it did not"""

    @property
    def was_missed(self) -> bool:
        """Another kill of its wave hit its worker before the charge was sent. So its customer, who cancels meanwhile, is owed nothing, and no step gives anything back."""
        return self.died_at is None and self.bought.status is OrderStatus.CANCELLED

    @property
    def trouble(self) -> str | None:
        if self.died_at is None:
            return f"no process reached {self.cell.place}"
        if self.bought.trouble is not None:
            return self.bought.trouble
        if self.bought.status is not self.cell.kind.ends_as:
            return f"ended as {self.bought.status}, not {self.cell.kind.ends_as}"
        return None

    @property
    def late(self) -> str | None:
        """A promise about time, which a busy machine can break with nothing wrong: so it is judged apart from `trouble`."""
        if self.went_on_after is None or self.went_on_after <= PROMISED:
            return None
        return f"went on after {self.went_on_after:.1f} s, not within {PROMISED:g}"


@dataclass(slots=True)
class CrashReport:
    killed: list[Killed] = field(default_factory=list)
    audit: Audit = field(default_factory=Audit)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.audit.findings and not any(killed.trouble or killed.late for killed in self.killed)


def run(ground: Ground, *, planned: Sequence[Sequence[Cell]], progress: Progress) -> CrashReport:
    """Raises GaveUp where the orders to begin with are not even activated, or the API gives no quote."""
    began = time.monotonic()
    report = CrashReport()
    customers = ground.customers([cell.kind for wave in planned for cell in wave], named="drill")
    asyncio.run(_run(ground, planned, customers, report, progress))
    ground.calm_stand_ins()
    progress(len(planned), len(planned), "reconciling")
    with ground.begin() as session:
        report.audit = audit(session, ground.books(), ground.mails())
        deaths = [killed.died_at for killed in report.killed if killed.died_at is not None and killed.cell.is_step]
        for killed in report.killed:
            killed.went_on_after = _went_on_after(session, killed, deaths)
    report.seconds = time.monotonic() - began
    return report


async def _run(
    ground: Ground,
    planned: Sequence[Sequence[Cell]],
    customers: Sequence[Customer],
    report: CrashReport,
    progress: Progress,
) -> None:
    key = ground.key_for(customers, named="drill")
    headers = {"Authorization": f"Bearer {key}"}
    everybody = iter(customers)
    async with (
        Watch(ground.begin) as watch,
        httpx.AsyncClient(base_url=ground.stack.addresses.api, headers=headers, timeout=10, trust_env=False) as http,
    ):
        progress(0, len(planned), "waiting until everybody has what they start with")
        await _quiet(watch)
        ground.stripe("latency", seconds=BANK_TAKES)
        ground.mailbox_fault("slow", seconds=MAIL_SERVER_TAKES)
        for number, wave in enumerate(planned):
            progress(number, len(planned), ", ".join(cell.place for cell in wave))
            killed = [Killed(cell, Bought(next(everybody), cell.kind.doing)) for cell in wave]
            await _wave(ground, Shop(http, watch, deadline=time.monotonic() + WAVE), killed)
            report.killed += [each for each in killed if not each.was_missed]
            for missed in [each for each in killed if each.was_missed]:
                alone = Killed(missed.cell, Bought(missed.bought.customer, missed.cell.kind.doing))
                await _wave(ground, Shop(http, watch, deadline=time.monotonic() + WAVE), [alone])
                report.killed.append(alone)


async def _quiet(watch: Watch) -> None:
    try:
        await watch.quiet(within=120)
    except TimeoutError as error:
        raise GaveUp(f"the orders that everybody starts with have not ended: {error}") from None


async def _wave(ground: Ground, shop: Shop, wave: Sequence[Killed]) -> None:
    quotes = await asyncio.gather(*(shop.quote(killed.bought, killed.cell.kind.cart) for killed in wave))
    with frozen(ground.stack, *WORKERS):  # no step begins before every kill is arranged
        for killed in wave:
            if not killed.cell.is_step:
                drill_points.order_death(ground.deaths, killed.cell.place, _subject(killed))
            if (killed.cell.row, killed.cell.point) == KEY_SPENT:
                fault = {"kind": "server_error_before_effect", "operation": "payment_intents.create", "times": 1}
                ground.stripe("faults", **fault, seconds=STRIPE_FINISHES)
        await asyncio.gather(*(_place(shop, killed, quote) for killed, quote in zip(wave, quotes, strict=True)))
        for killed in wave:
            if killed.cell.is_step:
                drill_points.order_death(ground.deaths, killed.cell.place, _subject(killed))
    await asyncio.gather(*(_follow(shop, killed) for killed in wave))
    for killed in wave:
        killed.died_at = drill_points.died_at(ground.deaths, killed.cell.place, _subject(killed))


def _subject(killed: Killed) -> object:
    if killed.cell.is_step:
        return killed.bought.order_id
    return "outbox" if killed.cell.row == RELAY[0] else killed.bought.key


async def _place(shop: Shop, killed: Killed, quote_id: str) -> None:
    try:
        await shop.place(killed.bought, quote_id)
    except GaveUp as error:
        killed.bought.trouble = str(error)


async def _follow(shop: Shop, killed: Killed) -> None:
    try:
        await shop.follow(killed.bought)
    except (GaveUp, TimeoutError) as error:
        killed.bought.trouble = str(error) or "the customer's turn never came"


def _went_on_after(session: Session, killed: Killed, deaths: Sequence[float]) -> float | None:
    """Seconds from the process's death to the order's next timeline event; 0 where the order had already ended as it should.

    Each kill of a worker in between may have hit the one that had just taken the order up, so the longest time without a kill counts.
    """
    if killed.died_at is None or killed.bought.order_id is None:
        return None
    then = datetime.fromtimestamp(killed.died_at, UTC)
    events = select(OrderEvent.at).where(
        OrderEvent.order_id == killed.bought.order_id, OrderEvent.at > then, OrderEvent.kind != Kind.ORDER_RESTARTED
    )
    first = session.scalar(events.order_by(OrderEvent.id).limit(1))
    if first is not None:
        return longest_calm(killed.died_at, first.timestamp(), deaths)
    return 0.0 if killed.bought.status is killed.cell.kind.ends_as else None


def longest_calm(begin: float, end: float, deaths: Sequence[float]) -> float:
    """The longest time in seconds without a kill between `begin` and `end`."""
    between = [begin, *sorted(death for death in deaths if begin < death < end), end]
    return max(later - earlier for earlier, later in pairwise(between))
