"""Payments that take 300 ms each: they wait on many threads, so they should hold nobody up."""

from functools import partial

import httpx

from benchmarks.contestants import PEERS
from benchmarks.scenarios.scenario import Findings, Place, Scenario, compared, in_turns
from benchmarks.turn import Started, started

LATENCY = 0.3
AT_ONCE, SLOWLY = "answered at once", f"answered after {LATENCY * 1000:.0f} ms"


def run(place: Place, orders: int) -> Findings:
    with started(PEERS["prorata"], place.servers, place.scratch / "slow") as it:
        it.warm_up(40)
        cases = {
            name: partial(_burst, it, orders, seconds=seconds)
            for name, seconds in {AT_ONCE: 0.0, SLOWLY: LATENCY}.items()
        }
        return compared(in_turns(place.say, cases), of=SLOWLY, over=AT_ONCE, called=f"{SLOWLY} over at once")


def _burst(it: Started, orders: int, *, seconds: float) -> float:
    """Orders per second."""
    bank_takes(it, seconds=seconds)
    return it.rate(orders)


def bank_takes(it: Started, *, seconds: float) -> None:
    """For every answer from now on."""
    url = f"{it.variables['PRORATA_STRIPE_API_BASE']}/_control/latency"
    httpx.post(url, json={"seconds": seconds}, trust_env=False).raise_for_status()


SCENARIO = Scenario("Do payments that take 300 ms slow everything down?", 600, run)
"""orders in a burst: so many that the first and the last, which wait alone, count little"""
