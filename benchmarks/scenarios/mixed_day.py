"""A day of mixed traffic, in minutes: purchases, changes, trials and cards that fail, while the world outside has faults.

Nothing may stand still at the end: every order is completed, or waits for its customer with a reason. Only orders that were sent while
the faults struck are counted. All are sent at once, and each one's time runs from that moment to when it finished.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import httpx
import psycopg

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.servers import plain
from benchmarks.turn import Started, started
from models.states import OrderStatus

MIXED = prorata(load="benchmarks.peers.prorata_mixed:MixedLoad")

FAULTS = ("rate_limit", "unavailable", "connection_reset", "server_error_after_effect", "answer_lost")


WAITS_FOR_NOBODY = (OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION)


@dataclass(frozen=True, slots=True)
class End:
    """How an order came to rest. seconds: from when it was sent to when it finished, None for one that waits."""

    status: str
    reason: str | None
    seconds: float | None

    @property
    def stands_still(self) -> bool:
        """Neither finished nor waiting for its customer with a reason."""
        return self.status in WAITS_FOR_NOBODY or (self.seconds is None and self.reason is None)


def run(place: Place, orders: int) -> Findings:
    with started(MIXED, place.servers, place.scratch / "day") as it:
        place.say("the evening before: those who will change what they have, buy it")
        before = orders // 2
        it.warm_up(before)
        place.say(f"{orders} mixed orders, one charge in twenty meets a fault")
        last = _last_order(it.database_url)
        it.driver.prepare(orders)
        _trouble(it)
        sent = _clock(it.database_url)
        took = it.driver.burst(orders)
        ends = ends_of(it.database_url, after=last, sent=sent)
    waits = [each.seconds for each in ends if each.seconds is not None and each.status == "completed"]
    counted = Counter(each.status for each in ends)
    rows = {f"ended {status}": {"orders": float(number)} for status, number in sorted(counted.items())}
    rows["left standing"] = {"orders": float(sum(each.stands_still for each in ends))}
    rows["through"] = {"orders/s": orders / took, "p50 s": percentile(waits, 0.5), "p99 s": percentile(waits, 0.99)}
    return Findings(rows)


def _trouble(it: Started) -> None:
    """Each fault strikes its share of the requests that charge."""
    url = f"{it.variables['PRORATA_STRIPE_API_BASE']}/_control/faults"
    for kind in random.sample(FAULTS, len(FAULTS)):
        fault = {"kind": kind, "operation": "payment_intents.create", "probability": 0.01}
        httpx.post(url, json=fault, trust_env=False).raise_for_status()


def _last_order(url: str) -> int:
    """The number of the order that was placed last."""
    with psycopg.connect(plain(url)) as connection:
        (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM orders").fetchone() or (0,)
    return int(number)


def _clock(url: str) -> datetime:
    """PostgreSQL's, which also says when an order finished."""
    with psycopg.connect(plain(url)) as connection:
        (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    assert isinstance(now, datetime)
    return now


def ends_of(url: str, *, after: int, sent: datetime) -> list[End]:
    """Of the orders placed after the one with number `after`."""
    query = "SELECT status, reason, extract(epoch FROM finished_at - %s)::float8 FROM orders WHERE number > %s ORDER BY number"
    with psycopg.connect(plain(url)) as connection:
        return [End(*row) for row in connection.execute(query, [sent, after]).fetchall()]


SCENARIO = Scenario("Does a day of mixed traffic with faults leave anything standing?", 300, run)
