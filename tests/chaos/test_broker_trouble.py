"""A worker whose broker fails it: it takes messages again, or its health check says that it does not; and no message is redelivered endlessly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from models import migrations
from tests.support.messages import a_task, eventually
from worker import drill_points
from worker.command_lines import Worker, worker_command
from worker.drill.detour import Proxies, proxies
from worker.drill.signals import frozen_child
from worker.embedded import PostgresServer, RedisServer
from worker.processes import Child, log_says

pytestmark = pytest.mark.timeout(900)
NOTHING_THERE = "http://127.0.0.1:9"


@dataclass
class Running:
    """A worker of the queue `orders`, behind proxies."""

    child: Child
    env: dict[str, str]
    between: Proxies
    broker: "redis.Redis"
    database: str
    deaths: Path

    def is_healthy(self, within: float = 5.0, **changed: str) -> bool:
        return self.answers(
            [sys.executable, "-m", "worker.entry", "worker-health", "orders", f"--within={within}"], **changed
        )

    def answers(self, command: list[str], **changed: str) -> bool:
        env = self.env | changed
        return subprocess.run(command, env=env, capture_output=True, timeout=120, check=False).returncode == 0

    def put(self, message: dict[str, Any]) -> None:
        self.broker.lpush("orders", json.dumps(message))

    def rejected(self) -> list[tuple[str, str, str]]:
        """(because, queue, task) of what was kept."""
        with psycopg.connect(self.database.replace("+psycopg", "")) as connection:
            query = "SELECT because, queue, task FROM rejected_messages ORDER BY id"
            return [(row[0], row[1], row[2]) for row in connection.execute(query).fetchall()]

    def holds_nothing(self) -> bool:
        return self.broker.llen("orders") == 0


@pytest.fixture(scope="module")
def one_worker(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    tmp_path = tmp_path_factory.mktemp("broker-trouble")
    database = postgres_server.create_database(f"broker_{uuid4().hex[:8]}")
    migrations.upgrade(database)
    with redis.Redis.from_url(redis_server.url) as broker, proxies(tmp_path) as between:
        broker.flushdb()
        given = {
            "PRORATA_ENVIRONMENT": "test",
            "PRORATA_DATABASE_URL": database,
            "PRORATA_BROKER_URL": redis_server.url,
            "PRORATA_STRIPE_API_KEY": "sk_test_nobody",
            "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_nobody",
            "PRORATA_STRIPE_API_BASE": NOTHING_THERE,
            "PRORATA_SMTP_HOST": "127.0.0.1",
            "PRORATA_DRILL_FOLDER": str(tmp_path / "deaths"),
        }
        env = os.environ | between.detour(given)
        child = Child(name="worker", command=worker_command(Worker.ORDERS), folder=tmp_path, env=env, restart=True)
        child.start(ready=log_says(" ready."), deadline=240)
        running = Running(child, env, between, broker, database, tmp_path / "deaths")
        try:
            assert eventually(lambda: running.is_healthy(within=10))
            yield running
        finally:
            child.stop(now=True)


@pytest.fixture
def running(one_worker: Running) -> Running:
    """The one worker, with nothing kept from the test before. Each test that harms it ends with it in good health."""
    with psycopg.connect(one_worker.database.replace("+psycopg", "")) as connection:
        connection.execute("DELETE FROM rejected_messages")
    return one_worker


def test_a_worker_takes_messages_again_after_its_connections_were_cut(running: Running) -> None:
    assert running.between.tell("cut", "redis") > 0
    assert eventually(running.is_healthy)


def test_a_worker_takes_messages_again_after_its_connections_were_left_half_open(running: Running) -> None:
    assert running.between.tell("half-open", "redis", 600) > 0
    assert eventually(running.is_healthy, within=200)


def test_a_worker_takes_messages_again_after_redis_was_killed_and_lost_everything(
    running: Running, redis_server: RedisServer
) -> None:
    for _ in range(3):
        redis_server.kill()
        redis_server.restart()
        assert eventually(running.is_healthy)


def test_a_worker_waits_nowhere_without_a_time_limit(running: Running) -> None:
    """No connection of it subscribes to anything: see worker_enable_remote_control."""
    assert running.broker.pubsub_numpat() == 0
    assert running.broker.pubsub_channels() == []


def test_a_worker_that_takes_no_messages_fails_its_health_check_though_it_runs(running: Running) -> None:
    with frozen_child(running.child):
        assert not running.is_healthy(within=1)
    assert eventually(running.is_healthy)


def test_the_health_check_of_a_container_is_another_way_to_ask_the_same(running: Running) -> None:
    command = [sys.executable, "-P", "-m", "worker.commands.health_check", "orders"]
    assert running.answers(command)
    with frozen_child(running.child):
        assert not running.answers([*command, "1"])
    assert eventually(running.is_healthy)


def test_a_broker_that_is_away_fails_the_health_check(running: Running) -> None:
    assert not running.is_healthy(within=1, PRORATA_BROKER_URL="redis://127.0.0.1:9/0")


def test_an_unknown_task_is_kept_and_told(running: Running) -> None:
    running.put(a_task("no_such_task", str(uuid4())))
    assert eventually(lambda: running.rejected() == [("unknown_task", "orders", "no_such_task")])
    assert eventually(running.holds_nothing)
    assert '"message rejected"' in running.child.output()


@pytest.mark.parametrize(
    "broken",
    [
        {"content-type": "application/x-python-serialize"},
        {"body": "{not json"},
        {"headers": {}},
    ],
    ids=["pickled", "no JSON", "no task"],
)
def test_a_malformed_message_is_kept_and_told(running: Running, broken: dict[str, Any]) -> None:
    running.put(a_task("validate_cart", str(uuid4())) | broken)
    assert eventually(lambda: [because for because, _, _ in running.rejected()] == ["malformed"])
    assert eventually(running.holds_nothing)
    assert running.is_healthy(within=240)


def test_a_message_that_kills_its_worker_is_handed_out_twice_and_then_kept(running: Running) -> None:
    order_id, places = str(uuid4()), ("validate_cart.delivered", "validate_cart.recorded")
    for place in places:
        drill_points.order_death(running.deaths, place, order_id)
    running.put(a_task("validate_cart", order_id))
    for place in places:
        assert eventually(lambda place=place: drill_points.died_at(running.deaths, place, order_id) is not None)  # type: ignore[misc]
    assert eventually(lambda: running.rejected() == [("killed_its_worker", "orders", "validate_cart")])
    assert eventually(running.holds_nothing)
    assert running.is_healthy(within=240)
