"""The API is told to stop while somebody is slow, or follows an order."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.api.conftest import Api, purchase
from tests.api.test_order_events import follow
from tests.api.test_request_head import connected
from tests.support.command import SETTINGS, Command
from tests.support.world import Customer
from tests.worker.test_compose_file import SERVICES
from worker.command_lines import api_command
from worker.commands.process import KEEPS_IDLE, STOPS_WITHIN
from worker.embedded import RedisServer
from worker.processes import Child, Supervisor, http_ok

ENDED_BY_TERM = 128 + signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Serving:
    address: str
    child: Child

    def stop(self) -> None:
        """Tell it to, and wait; an API that waits for somebody longer than is said writes that as an error."""
        self.child.kill(signal.SIGTERM)
        assert self.child.wait(timeout=240) == ENDED_BY_TERM


@pytest.fixture
def serving(tmp_path: Path, world_database_url: str, redis_server: RedisServer) -> Iterator[Serving]:
    servers = {"PRORATA_DATABASE_URL": world_database_url, "PRORATA_BROKER_URL": redis_server.database(52)}
    with Supervisor(tmp_path) as processes:
        address = f"http://127.0.0.1:{(port := processes.port())}"
        command = api_command(host="127.0.0.1", port=port)
        env = os.environ | SETTINGS | servers
        yield Serving(
            address, processes.start("api", command, env=env, ready=http_ok(f"{address}/healthz"), deadline=240)
        )


def test_who_follows_an_order_is_let_go_without_an_error(serving: Serving, api: Api, ada: Customer) -> None:
    stream = follow(serving.address, api, api.order(ada, purchase()))
    assert next(stream)[1] == "order.placed"
    serving.stop()
    assert list(stream) == []
    levels = {json.loads(line)["level"] for line in serving.child.output().splitlines()}
    assert levels == {"info"}, "an error where somebody has to be cut off"


def test_a_body_that_does_not_come_does_not_hold_up_the_end_for_ever_and_may_be_sent_again(
    serving: Serving, api: Api, ada: Customer
) -> None:
    head = f"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\nContent-Length: 9\r\n"
    with connected(serving.address) as line:
        line.sendall(head.encode() + b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in line.recv(64)
        serving.stop()
        answer = line.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 503 ")
    assert "problems/temporarily-unavailable" in answer
    assert "\r\nretry-after: 1\r\n" in answer
    assert "Traceback" not in serving.child.output()


def test_whoever_stops_the_api_lets_it_end_first() -> None:
    """Five seconds are for what is published still."""
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN + 5


def test_an_idle_connection_outlives_those_that_clients_keep() -> None:
    """Otherwise a client may send a request over a connection that is being closed."""
    assert (httpx.Limits().keepalive_expiry or 0) in range(1, KEEPS_IDLE)


def test_the_server_is_told_both_and_leaves_logging_to_us(prorata: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, object] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **options: told.update(options))
    assert prorata("api", "--host=0.0.0.0", "--port=8001", **SETTINGS).status == 0
    assert told == {
        "factory": True,
        "host": "0.0.0.0",
        "port": 8001,
        "workers": 1,
        "http": "api_stub.edge.request_head:LimitedHead",
        "access_log": False,
        "log_config": None,
        "timeout_graceful_shutdown": STOPS_WITHIN,
        "timeout_keep_alive": KEEPS_IDLE,
    }
