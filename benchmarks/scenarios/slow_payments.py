"""Payments that take 300 ms each: they wait on many threads, so they should hold nobody up."""

from statistics import median

import httpx

from benchmarks.contestants import PEERS
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.turn import Started, started

LATENCY = 0.3
ROUNDS = 5
"""bursts of each kind, in turns on one stack: what is compared lies seconds apart"""


def run(place: Place, orders: int) -> Findings:
    rates: dict[float, list[float]] = {0.0: [], LATENCY: []}
    with started(PEERS["prorata"], place.servers, place.scratch / "slow") as it:
        it.driver.prepare(40)
        it.driver.burst(40)
        for number in range(ROUNDS):
            for seconds in sorted(rates, reverse=number % 2 == 1):
                place.say(f"round {number + 1} of {ROUNDS}: payments answered after {seconds * 1000:.0f} ms")
                bank_takes(it, seconds=seconds)
                it.driver.prepare(orders)
                rates[seconds].append(orders / it.driver.burst(orders))
    cases = {f"{seconds * 1000:.0f} ms": {"orders/s": median(rates[seconds])} for seconds in rates}
    ratios = [slow / quick for quick, slow in zip(*rates.values(), strict=True)]
    return Findings(cases, {"300 ms over none": median(ratios), "least": min(ratios), "most": max(ratios)})


def bank_takes(it: Started, *, seconds: float) -> None:
    """For every answer from now on."""
    url = f"{it.variables['PRORATA_STRIPE_API_BASE']}/_control/latency"
    httpx.post(url, json={"seconds": seconds}, trust_env=False).raise_for_status()


SCENARIO = Scenario("Do payments that take 300 ms slow everything down?", 600, run)
"""in a burst: so many that the first and the last, who wait alone, count little"""
