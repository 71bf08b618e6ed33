"""Payments that take 300 ms each: they wait on many threads, so they should hold nobody up."""

from functools import partial

import httpx

from benchmarks import turn
from benchmarks.contestants import PEERS
from benchmarks.scenarios.scenario import Findings, Place, Scenario, rates
from benchmarks.turn import Size, Started

LATENCY = 0.3


def run(place: Place, orders: int) -> Findings:
    measured = {}
    for case, seconds in {"at once": 0.0, "300 ms": LATENCY}.items():
        place.say(f"payments answered {case}")
        size = Size(orders, 5, min(orders, 40))
        measured[case] = turn.take(
            PEERS["prorata"], place.servers, place.scratch / case, size, first=partial(bank_takes, seconds=seconds)
        ).rate
    return rates(measured, of="300 ms", over="at once", called="300 ms over none")


def bank_takes(it: Started, *, seconds: float) -> None:
    """For every answer from now on."""
    url = f"{it.variables['PRORATA_STRIPE_API_BASE']}/_control/latency"
    httpx.post(url, json={"seconds": seconds}, trust_env=False).raise_for_status()


SCENARIO = Scenario("Do payments that take 300 ms slow everything down?", 600, run)
"""so many that the first and the last, who wait alone, do not count"""
