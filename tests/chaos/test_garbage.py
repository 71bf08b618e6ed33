"""What anybody who may write to Redis can put into a queue: it is kept and told, once, and no worker ends over it."""

import base64
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from models import migrations
from tasks.queues import QUEUE_NAMES
from tests.support.messages import a_task, eventually
from worker.command_lines import Pool, Worker, worker_command
from worker.embedded import PostgresServer, RedisServer
from worker.processes import Child, log_says

pytestmark = pytest.mark.timeout(600)


def order(**changed: Any) -> dict[str, Any]:
    return a_task("validate_cart", str(uuid4())) | changed


def properties(**changed: Any) -> dict[str, Any]:
    return {"properties": {**order()["properties"], **changed}}


def headers(**changed: Any) -> dict[str, Any]:
    return {"headers": {**order()["headers"], **changed}}


def body(*arguments: Any, **named: Any) -> dict[str, Any]:
    return {"body": json.dumps([arguments, named, {}])}


def followed_by(**wanted: Any) -> dict[str, Any]:
    """A heartbeat, which succeeds, and after its arguments what Celery is to do next."""
    return a_task("heartbeat", "orders") | {"body": json.dumps([["orders"], {}, wanted])}


def headed_by(**wanted: Any) -> dict[str, Any]:
    """The same said in the headers, where Celery looks too."""
    beat = followed_by()
    return beat | {"headers": beat["headers"] | wanted}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


ENTRIES: dict[str, bytes] = {
    "no JSON": b"xxx",
    "nothing": b"",
    "no text": b"\xff\xfe\x00\x01",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07garbage\x94.",
    "half of a message": json.dumps(order()).encode()[:200],
    "deeper than anybody reads": b"[" * 100_000,
    "a number of 5,000 digits": b"7" * 5_000,
    "a type that is none": b'{"__type__": "no such type", "__value__": 1}',
    "a decimal that is none": b'{"__type__": "decimal", "__value__": "abc"}',
    "a date beyond all years": b'{"__type__": "datetime", "__value__": "99999-01-01"}',
    "a NUL": b'"\\u0000"',
    "a number": b"17",
    "nothing in JSON": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
}
MESSAGES: dict[str, dict[str, Any]] = {
    "no properties": {"body": "e30=", "headers": {}},
    "properties of another kind": order(properties=[1, 2]),
    "no delivery tag": order(properties={"delivery_info": {"exchange": "", "routing_key": "orders"}}),
    "a delivery tag of another kind": order(**properties(delivery_tag=["a", "b"])),
    "no delivery info": order(**properties(delivery_info=None)),
    "a routing key of another kind": order(**properties(delivery_info={"exchange": "", "routing_key": {}})),
    "no body": {name: value for name, value in order().items() if name != "body"},
    "an empty body": order(body=""),
    "a body of another kind": order(body={"a": 1}),
    "a body that is no base64": order(body="!", **properties(body_encoding="base64")),
    "an encoding that nobody knows": order(body="eA==", **properties(body_encoding="rot13")),
    "a body that is no JSON": order(body=encoded("{not json"), **properties(body_encoding="base64")),
    "a body that is a number": order(body="5"),
    "a body that is an object": order(body="{}"),
    "a body of two parts": order(body="[[], {}]"),
    "arguments of another kind": order(body='[5, "a", {}]'),
    "a pickled body": order(**{"content-type": "application/x-python-serialize", "body": encoded("garbage")}),
    "a content type that nobody knows": order(**{"content-type": "application/x-nonsense"}),
    "a content type of another kind": order(**{"content-type": [1]}),
    "no content type": order(**{"content-type": None}),
    "a compression that is none": order(**headers(compression="application/x-gzip")),
    "a compressed body": order(
        **headers(compression="application/x-gzip"),
        body=base64.b64encode(zlib.compress(json.dumps([[str(uuid4())], {}, {}]).encode())).decode(),
        **properties(body_encoding="base64"),
    ),
    "no headers": order(headers=None),
    "headers of another kind": order(headers=["task", "validate_cart"]),
    "headers with a decimal that is none": order(**headers(x={"__type__": "decimal", "__value__": "abc"})),
    "no task": order(headers={}),
    "no id": order(headers={"task": "validate_cart"}),
    "headers too deep for the table": order(headers={"deep": json.loads("[" * 300 + "]" * 300)}),
    "headers that JSONB does not hold": order(headers={"nan": float("nan"), "nul": "\0", "half": "\ud800"}),
    "an unknown task": a_task("no_such_task", "1"),
    "an unknown task without an id": order(headers={"task": "no_such_task"}),
    "a task of another kind": order(**headers(task=["validate_cart"])),
    "a time limit of another kind": order(**headers(timelimit="long")),
    "time limits that are no numbers": order(**headers(timelimit=["long", None])),
    "callbacks of another kind": order(body=json.dumps([[str(uuid4())], {}, 5])),
    "a callback": followed_by(callbacks=["x"]),
    "a callback for failures": followed_by(errbacks=["x"]),
    "a chain": followed_by(chain=["x"]),
    "a chain that could go on": followed_by(chain=[{"task": "heartbeat", "args": ["made up"], "options": {}}]),
    "a chord": followed_by(chord={"task": "x"}),
    "time limits after the arguments": followed_by(timelimit=["long", None]),
    "a callback in the headers": headed_by(callbacks=["x"]),
    "a callback for failures in the headers": headed_by(errbacks=["x"]),
    "a chain in the headers": headed_by(chain=["x"]),
    "a chord in the headers": headed_by(chord="x"),
    "a group": headed_by(group="x"),
    "an id of another kind": headed_by(id=["x"]),
    "a name to be shown by of another kind": headed_by(shadow=["x"]),
    "a chain in the older protocol": a_task("heartbeat", "orders")
    | {"body": json.dumps({"task": "heartbeat", "id": "1", "args": ["orders"], "kwargs": {}, "callbacks": ["x"]})},
    "a time to wait for of another kind": order(**headers(eta=[1])),
    "an end of another kind": order(**headers(expires={"a": 1})),
    "no arguments": order(**body()),
    "one argument too many": order(**body(str(uuid4()), 2)),
    "an argument by another name": order(**body(number=str(uuid4()))),
    "an argument that is no order's id": order(**body("1001")),
}
GARBAGE = ENTRIES | {name: json.dumps(message).encode() for name, message in MESSAGES.items()}


@dataclass
class Running:
    """A worker of every queue."""

    child: Child
    broker: "redis.Redis"
    database: str

    def kept(self) -> int:
        return int(self._asked("SELECT count(*) FROM rejected_messages")[0][0])

    def errors(self) -> list[str]:
        return [str(row[0]) for row in self._asked("SELECT error FROM rejected_messages ORDER BY id")]

    def forget(self) -> None:
        for table in ("rejected_messages", "heartbeats"):
            self._asked(f"DELETE FROM {table} RETURNING 1")

    def beats(self) -> bool:
        """Whether each queue's heartbeat was recorded since `forget`: tasks get through, to the database and back."""
        return int(self._asked("SELECT count(*) FROM heartbeats WHERE name LIKE 'queue %'")[0][0]) == len(QUEUE_NAMES)

    def holds_nothing(self) -> bool:
        return not any(map(self.broker.llen, QUEUE_NAMES))

    def _asked(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.replace("+psycopg", "")) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module", params=[Pool.PREFORK, Pool.THREADS])
def worker(
    request: pytest.FixtureRequest,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("garbage")
    database = postgres_server.create_database(f"garbage_{uuid4().hex[:8]}")
    migrations.upgrade(database)
    number = 40 + list(Pool).index(request.param)
    with redis.Redis.from_url(redis_server.database(number)) as broker:
        broker.flushdb()
        env = os.environ | {
            "PRORATA_ENVIRONMENT": "test",
            "PRORATA_DATABASE_URL": database,
            "PRORATA_BROKER_URL": redis_server.database(number),
            "PRORATA_STRIPE_API_KEY": "sk_test_nobody",
            "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_nobody",
            "PRORATA_SMTP_HOST": "127.0.0.1",
        }
        command = worker_command(Worker.ORDERS, queues=",".join(QUEUE_NAMES), pool=request.param, concurrency=2)
        child = Child(name="worker", command=command, folder=folder, env=env)
        child.start(ready=log_says(" ready."), deadline=240)
        try:
            yield Running(child, broker, database)
        finally:
            child.stop(now=True)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_kept_once_and_the_worker_goes_on(worker: Running, garbage: bytes) -> None:
    worker.forget()
    pid = worker.child.pid
    worker.broker.lpush("orders", garbage)
    assert eventually(lambda: worker.kept() > 0)
    assert eventually(worker.holds_nothing)
    assert (worker.kept(), worker.child.pid) == (1, pid)
    assert '"message rejected"' in worker.child.output()


def test_all_garbage_in_every_queue_neither_ends_the_worker_nor_goes_round(worker: Running) -> None:
    worker.forget()
    pid = worker.child.pid
    for queue in QUEUE_NAMES:
        for garbage in GARBAGE.values():
            worker.broker.lpush(queue, garbage)
        worker.broker.lpush(queue, json.dumps(a_task("heartbeat", queue)))
    expected = len(GARBAGE) * len(QUEUE_NAMES)
    assert eventually(lambda: worker.kept() >= expected and worker.holds_nothing() and worker.beats(), within=180)
    assert (worker.kept(), worker.child.pid, worker.child.running()) == (expected, pid, True)
    assert "Unrecoverable error" not in worker.child.output()
    assert "Restarting" not in worker.child.output()
