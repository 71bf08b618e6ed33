"""A sale: thousands of orders arrive at the API in a burst. Placing stays quick, the backlog drains, nobody is forgotten.

How quick is asked in a closed loop, and in an open one, in which a stall of the API counts for everybody who would have met it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.http_load import ANSWERS, ARRIVALS
from benchmarks.peer import Peer
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.servers import plain
from benchmarks.turn import started

IN_A_CLOSED_LOOP = prorata(load="benchmarks.peers.prorata_api:ApiLoad", giving_way=True)
AT_FIXED_MOMENTS = prorata(load="benchmarks.peers.prorata_api:ArrivingLoad", giving_way=True)


@dataclass(frozen=True, slots=True)
class Sale:
    answers: list[dict[str, Any]]
    seconds: float
    """from the first sent to the last done"""
    times: list[tuple[float, float]]
    """when each was placed and finished"""


def run(place: Place, orders: int) -> Findings:
    """Twice, each on a stack of its own: eight customers who order again and again, then a new one every few milliseconds."""
    closed = _sale(IN_A_CLOSED_LOOP, place, orders, "closed loop")
    arriving = _sale(AT_FIXED_MOMENTS, place, orders, f"{ARRIVALS} arrivals/s")
    took = max(answer["when"] for answer in closed.answers) - min(answer["when"] for answer in closed.answers)
    waits = [finished - placed for placed, finished in closed.times]
    late = percentile([answer["late"] * 1000 for answer in arriving.answers], 0.99)
    return Findings(
        {
            "placing at the API": {**_answered(closed), "orders/s": orders / took},
            f"placing at {ARRIVALS} arrivals/s": {**_answered(arriving), "of which sent late, p99 ms": late},
            "going through": {"orders/s": orders / closed.seconds, "first out s": min(waits), "last out s": max(waits)},
            "first come, first served": {"places lost, p99 %": _places_lost(closed.times)},
        }
    )


def _answered(sale: Sale) -> dict[str, float]:
    placed = [answer["seconds"] * 1000 for answer in sale.answers]
    return {"p50 ms": percentile(placed, 0.5), "p99 ms": percentile(placed, 0.99)}


def _sale(peer: Peer, place: Place, orders: int, name: str) -> Sale:
    folder = place.scratch / name.replace("/", " per ")
    with started(peer, place.servers, folder) as it:
        it.warm_up(30)
        place.say(f"{name}: asking for {orders} quotes")
        it.driver.prepare(orders)
        place.say(f"{name}: placing {orders} orders and waiting for the last")
        seconds = it.driver.burst(orders)
        return Sale(read(folder / ANSWERS), seconds, _placed_and_finished(it.database_url, orders))


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _placed_and_finished(url: str, orders: int) -> list[tuple[float, float]]:
    """Seconds since the epoch of both, in the order of placing."""
    query = (
        "SELECT extract(epoch FROM created_at)::float8, extract(epoch FROM finished_at)::float8 FROM"
        " (SELECT * FROM orders ORDER BY number DESC LIMIT %s) latest ORDER BY number"
    )
    with psycopg.connect(plain(url)) as connection:
        return [(float(placed), float(finished)) for placed, finished in connection.execute(query, [orders])]


def _places_lost(times: list[tuple[float, float]]) -> float:
    """How far behind its turn an order came out, p99, in per cent of all: 0 is first come, first served."""
    by_finish = sorted(range(len(times)), key=lambda index: times[index][1])
    lost = [max(0, place - index) for place, index in enumerate(by_finish)]
    return percentile([100 * each / len(times) for each in lost], 0.99)


SCENARIO = Scenario("What happens when everybody buys at once?", 5000, run)
