"""Placing an order at the API against an endpoint that does next to nothing: one row inserted, same server, same client."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contestants import prorata
from benchmarks.figures import percentile
from benchmarks.http_load import ANSWERS, CONNECTIONS
from benchmarks.scenarios.sale import read
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.turn import start_all, started
from worker.processes import Supervisor, http_ok
from worker.stack.processes import Process

NO_WORKERS = prorata(load="benchmarks.peers.prorata_api:PlacingOnly", workers={})


def run(place: Place, orders: int) -> Findings:
    place.say("an empty endpoint")
    empty = _figures(_empty_endpoint(place, orders))
    place.say("Prorata's")
    with started(NO_WORKERS, place.servers, place.scratch / "placing") as it:
        for number in (50, orders):
            it.driver.prepare(number)
            it.driver.burst(number)
        ours = _figures(read(place.scratch / "placing" / ANSWERS))
    return Findings(
        {"POST /v1/orders": ours, "empty endpoint": empty},
        {"placing over an empty endpoint": ours["orders/s"] / empty["orders/s"]},
    )


def _figures(answers: Sequence[dict[str, Any]]) -> dict[str, float]:
    took = max(answer["when"] for answer in answers) - min(answer["when"] - answer["seconds"] for answer in answers)
    placed = [answer["seconds"] * 1000 for answer in answers]
    return {"orders/s": len(answers) / took, "p50 ms": percentile(placed, 0.5), "p99 ms": percentile(placed, 0.99)}


def _empty_endpoint(place: Place, orders: int) -> list[dict[str, Any]]:
    place.servers.level_ground()
    url = place.servers.database("empty", migrated=False)
    with Supervisor(place.scratch / "empty") as processes:
        address = f"http://127.0.0.1:{processes.port()}"
        port = str(urlsplit(address).port)
        command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.empty_endpoint:app", f"--port={port}"]
        options = ["--no-access-log", "--log-level=info"]
        env = {"BENCH_DATABASE_URL": url}
        start_all(processes, [Process("empty", [*command, *options], http_ok(f"{address}/healthz"), env)])
        request = {"path": "/orders", "headers": {}, "body": {"account_id": "a" * 36, "quote_id": "b" * 36}}
        for number in (50, orders):
            answers = _send(port, [request] * number)
    return answers


def _send(port: str, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.http_load", "127.0.0.1", port, str(CONNECTIONS)]
    lines = "\n".join(json.dumps(request) for request in requests)
    answered = subprocess.run(command, input=lines, text=True, check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in answered.stdout.splitlines()]


SCENARIO = Scenario("What does placing an order cost beside an endpoint that inserts one row?", 500, run)
