"""Placing an order at the API against an endpoint that does next to nothing: one row inserted, same server, same client."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.first_cause import naming_the_first
from benchmarks.http_load import ANSWERS, CLOSED, none_refused
from benchmarks.scenarios.sale import read
from benchmarks.scenarios.scenario import Findings, Place, Scenario, in_turns, ratios
from benchmarks.turn import start_all, started
from worker.processes import Supervisor, http_ok
from worker.stack.processes import Process

NO_WORKERS = prorata(load="benchmarks.peers.prorata_api:PlacingOnly", workers={})
OURS, EMPTY = "POST /v1/orders", "empty endpoint"

Answers = Sequence[dict[str, Any]]


def run(place: Place, orders: int) -> Findings:
    with _prorata(place) as ours, _empty_endpoint(place) as empty:
        for send in (ours, empty):
            send(50)
        seen = in_turns(place.say, {OURS: lambda: _figures(ours(orders)), EMPTY: lambda: _figures(empty(orders))})
    rows = {
        name: {what: median(each[what] for each in figures) for what in figures[0]} for name, figures in seen.items()
    }
    rates = {name: [each["orders/s"] for each in figures] for name, figures in seen.items()}
    return Findings(rows, ratios(rates[OURS], rates[EMPTY], called="placing over an empty endpoint"))


def _figures(answers: Answers) -> dict[str, float]:
    took = max(answer["when"] for answer in answers) - min(answer["when"] - answer["seconds"] for answer in answers)
    placed = [answer["seconds"] * 1000 for answer in answers]
    return {"orders/s": len(answers) / took, "p50 ms": percentile(placed, 0.5), "p99 ms": percentile(placed, 0.99)}


@contextmanager
def _prorata(place: Place) -> Iterator[Callable[[int], Answers]]:
    folder = place.scratch / "placing"
    with started(NO_WORKERS, place.servers, folder) as it:

        def send(orders: int) -> Answers:
            it.driver.prepare(orders)
            it.driver.burst(orders)
            return read(folder / ANSWERS)

        yield send


@contextmanager
def _empty_endpoint(place: Place) -> Iterator[Callable[[int], Answers]]:
    url = place.servers.database("empty", migrated=False)
    with Supervisor(place.scratch / "empty") as processes, naming_the_first(processes.children.values):
        port = str(processes.port())
        command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.empty_endpoint:app", f"--port={port}"]
        options = ["--no-access-log", "--log-level=info"]
        ready = http_ok(f"http://127.0.0.1:{port}/healthz")
        start_all(processes, [Process("empty", [*command, *options], ready, {"BENCH_DATABASE_URL": url})])
        request = {"path": "/orders", "headers": {}, "body": {"account_id": "a" * 36, "quote_id": "b" * 36}}
        yield lambda orders: _send(port, [request] * orders)


def _send(port: str, requests: Sequence[dict[str, Any]]) -> Answers:
    command = [sys.executable, "-m", "benchmarks.http_load", "127.0.0.1", port, *CLOSED]
    lines = "\n".join(json.dumps(request) for request in requests)
    answered = subprocess.run(command, input=lines, text=True, check=True, stdout=subprocess.PIPE)
    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    none_refused(answers)
    return answers


SCENARIO = Scenario("What does placing an order cost beside an endpoint that inserts one row?", 500, run)
