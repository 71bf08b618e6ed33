"""Flower, as docker-compose.yml and `prorata up` start it: for looking only, and by its login only."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml

from tests.support.command import SETTINGS
from worker.embedded import RedisServer
from worker.processes import Child, http_ok
from worker.processes.ports import reserve_port
from worker.stack import processes
from worker.stack.addresses import Ports

SERVICES = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())["services"]
OURS = ("admin", "a-login-of-our-own")


@pytest.fixture(scope="module")
def broker(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_server.database(44)) as broker:
        broker.flushdb()
        yield broker


def of_compose(port: int, variables: Mapping[str, str]) -> tuple[list[str], Mapping[str, str]]:
    here = {"--address": "--address=127.0.0.1", "--port": f"--port={port}"}
    words = [here.get(word.partition("=")[0], word) for word in SERVICES["flower"]["command"]]
    given = {name: value for name, value in variables.items() if name in SERVICES["flower"]["environment"]}
    return [sys.executable, "-m", *words], {**given, "FLOWER_BASIC_AUTH": variables["PRORATA_FLOWER_LOGIN"]}


def of_up(port: int, variables: Mapping[str, str]) -> tuple[list[str], Mapping[str, str]]:
    started = processes.flower(Ports.reserved(lambda: port), variables)
    return started.command, started.env


@pytest.fixture(scope="module", params=[of_compose, of_up])
def flower(
    request: pytest.FixtureRequest,
    broker: "redis.Redis",
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    port = reserve_port()
    chosen = {"PRORATA_BROKER_URL": redis_server.database(44), "PRORATA_FLOWER_LOGIN": ":".join(OURS)}
    command, env = request.param(port.port, SETTINGS | chosen)
    child = Child(name="flower", command=command, folder=tmp_path_factory.mktemp("flower"), env={**os.environ, **env})
    url = f"http://127.0.0.1:{port.port}"
    child.start(ready=http_ok(f"{url}/healthcheck"), deadline=240)
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=240) as client:
            yield client
    finally:
        child.stop(now=True)
        port.release()


@pytest.mark.parametrize(("auth", "status"), [(None, 401), (("admin", "development"), 401), (OURS, 200)])
def test_flower_shows_its_pages_to_its_login_only(flower: httpx.Client, auth: Any, status: int) -> None:
    assert flower.get("/workers", auth=auth).status_code == status


@pytest.mark.parametrize("way", ["send-task", "async-apply", "apply"])
def test_the_login_of_flower_can_send_no_task(flower: httpx.Client, broker: "redis.Redis", way: str) -> None:
    answer = flower.post(f"/api/task/{way}/heartbeat", json={"args": ["upkeep"]}, auth=OURS)
    assert (answer.status_code, answer.text) == (403, "Read only mode is enabled")
    assert broker.llen("upkeep") + broker.llen("orders") == 0


@pytest.mark.parametrize("path", ["/metrics", "/healthcheck"])
def test_two_of_its_pages_ask_for_no_login(flower: httpx.Client, path: str) -> None:
    """docs/operations.md says so."""
    assert flower.get(path).status_code == 200
