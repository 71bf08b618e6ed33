"""A day of mixed traffic, in minutes: purchases, changes, trials and cards that fail, while the world outside has faults.

Nothing may stand still at the end: every order is completed, or waits for its customer with a reason.
"""

import random
import time

import httpx
import psycopg

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.servers import plain
from benchmarks.turn import Started, started

MIXED = prorata(load="benchmarks.peers.prorata_mixed:MixedLoad")

FAULTS = ("rate_limit", "unavailable", "connection_reset", "server_error_after_effect", "answer_lost")


def run(place: Place, orders: int) -> Findings:
    with started(MIXED, place.servers, place.scratch / "day") as it:
        place.say("the evening before: those who will change what they have, buy it")
        before = orders // 2
        it.warm_up(before)
        place.say(f"{orders} mixed orders, one request in twenty to the payment provider fails")
        it.driver.prepare(orders)
        _trouble(it)
        began = time.monotonic()
        it.driver.burst(orders)
        took = time.monotonic() - began
        ends, waits = _ends(it.database_url)
    rows = {f"ended {status}": {"orders": float(number)} for status, number in sorted(ends.items())}
    rows["through"] = {"orders/s": orders / took, "p50 s": percentile(waits, 0.5), "p99 s": percentile(waits, 0.99)}
    return Findings(rows)


def _trouble(it: Started) -> None:
    """Each fault strikes its share of the requests that charge."""
    url = f"{it.variables['PRORATA_STRIPE_API_BASE']}/_control/faults"
    for kind in random.sample(FAULTS, len(FAULTS)):
        fault = {"kind": kind, "operation": "payment_intents.create", "probability": 0.01}
        httpx.post(url, json=fault, trust_env=False).raise_for_status()


def _ends(url: str) -> tuple[dict[str, int], list[float]]:
    with psycopg.connect(plain(url)) as connection:
        ends = connection.execute("SELECT status, count(*) FROM orders GROUP BY status").fetchall()
        waits = connection.execute(
            "SELECT extract(epoch FROM finished_at - created_at)::float8 FROM orders WHERE status = 'completed'"
        ).fetchall()
    return {str(status): int(number) for status, number in ends}, [float(row[0]) for row in waits]


SCENARIO = Scenario("Does a day of mixed traffic with faults leave anything standing?", 300, run)
