"""A sale: thousands of orders arrive at the API in a burst. Placing stays quick, the backlog drains, nobody is forgotten."""

import json
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.http_load import ANSWERS
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.servers import plain
from benchmarks.turn import started

API = prorata(load="benchmarks.peers.prorata_api:ApiLoad", giving_way=True)


def run(place: Place, orders: int) -> Findings:
    with started(API, place.servers, place.scratch / "sale") as it:
        it.warm_up(30)
        place.say(f"asking for {orders} quotes")
        it.driver.prepare(orders)
        place.say(f"placing {orders} orders and waiting for the last")
        seconds = it.driver.burst(orders)
        answers = read(place.scratch / "sale" / ANSWERS)
        times = _placed_and_finished(it.database_url, orders)
    placed = [answer["seconds"] * 1000 for answer in answers]
    took = max(answer["when"] for answer in answers) - min(answer["when"] for answer in answers)
    waits = [finished - placed for placed, finished in times]
    return Findings(
        {
            "placing at the API": {
                "p50 ms": percentile(placed, 0.5),
                "p99 ms": percentile(placed, 0.99),
                "orders/s": len(answers) / took,
            },
            "going through": {"orders/s": orders / seconds, "first out s": min(waits), "last out s": max(waits)},
            "first come, first served": {"places lost, p99 %": _places_lost(times)},
        }
    )


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
