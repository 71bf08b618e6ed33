"""Whether the process answers, and whether it can work: alive, ready, and how long ago the sweep ran."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from sqlalchemy import create_engine, event, text
from structlog.testing import capture_logs

from api_stub import broker_check, database_check
from api_stub.routes import metrics
from models import migrations
from models.messages import Heartbeat
from tasks import wiring
from tasks.ports import PaymentProvider
from tasks.queues import QUEUE_NAMES
from tests.api.conftest import Api, problem, purchase, state
from tests.support.messages import eventually
from tests.support.world import Customer, World
from worker.database import Transactions, keep_values_out_of_errors, set_up_sessions
from worker.embedded.redis_server import redis as embedded_redis

THREADS = 40
"""as many as the framework has"""


@dataclass
class Slow:
    """A provider that does not answer before it may."""

    real: PaymentProvider
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def attach_payment_method(self, **asked: Any) -> Any:
        self.asked.release()
        self.may_answer.wait()
        return self.real.attach_payment_method(**asked)


def test_the_process_says_that_it_is_alive_and_ready_while_every_thread_waits_for_a_provider(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    payments = Slow(world.wiring.payments)
    wiring.plug_in(replace(world.wiring, payments=payments))
    url, headers = f"{live}/v1/accounts/{ada.account_id}/payment-method", {"Authorization": f"Bearer {api.key}"}

    def put(_: int) -> int:
        return httpx.put(url, headers=headers, json={"token": "pm_card_visa"}, timeout=120).status_code

    with ThreadPoolExecutor(THREADS) as clients:
        answers = clients.map(put, range(THREADS))
        try:
            assert all(payments.asked.acquire(timeout=240) for _ in range(THREADS))
            assert [httpx.get(f"{live}/{path}", timeout=60).status_code for path in ("healthz", "readyz")] == [200, 200]
        finally:
            payments.may_answer.set()
        assert len(list(answers)) == THREADS
    wiring.plug_in(world.wiring)


def test_ready_while_database_broker_and_beat_are_there(world: World, api: Api) -> None:
    answer = api.get("/readyz")
    checks = {"database": "ok", "schema": "ok", "broker": "ok", "beat": "unknown"}
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": checks})
    with world.begin() as session:
        session.execute(text("insert into heartbeats (name, at) values ('sweep', clock_timestamp())"))
    assert api.get("/readyz").json()["checks"]["beat"] == "ok"


def test_not_ready_where_no_sweep_runs_whatever_else_does(world: World, api: Api) -> None:
    with world.begin() as session:
        session.execute(text("insert into heartbeats (name, at) values ('sweep', now() - interval '61 seconds')"))
        session.execute(text("insert into heartbeats (name, at) values ('queue mail', now())"))
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["beat"]) == (503, "failing")
    assert "clocks of beat's host and the workers' differ" in answer.json()["advice"]
    assert len(world.rows(Heartbeat)) == 2


def test_a_sweep_that_never_ran_is_waited_for_a_minute_from_the_start(world: World, api: Api) -> None:
    state(api).started = time.monotonic() - 30
    assert api.get("/readyz").json()["checks"]["beat"] == "unknown"
    state(api).started = time.monotonic() - 60
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["beat"]) == (503, "failing")


def test_a_heartbeat_that_never_came_is_infinitely_old(world: World, api: Api) -> None:
    """Nothing can be alerted on where there is no number."""
    sweep_ran(world, "0 seconds")
    lines = [each for each in api.get("/metrics").text.splitlines() if each.startswith("prorata_heartbeat_age")]
    ages = {each.partition('task="')[2].partition('"')[0]: each.split()[-1] for each in lines}
    assert 0 <= float(ages.pop("sweep")) < 20
    assert ages == {f"queue {name}": "+Inf" for name in QUEUE_NAMES}


def sweep_ran(world: World, ago: str) -> None:
    with world.begin() as session:
        query = text("insert into heartbeats (name, at) values ('sweep', clock_timestamp() - cast(:ago as interval))")
        session.execute(query, {"ago": ago})


def test_not_ready_where_the_clock_was_set_back_since_the_last_sweep(world: World, api: Api) -> None:
    """Beat is silent until that moment comes again."""
    sweep_ran(world, "-2 hours")
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["beat"]) == (503, "failing")
    assert "in the future" in answer.json()["advice"]
    assert "Restart beat" in answer.json()["advice"]


def test_a_sweep_that_is_ahead_by_a_moment_is_none_from_another_time(world: World, api: Api) -> None:
    sweep_ran(world, "-3 seconds")
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["beat"], "advice" in answer.json()) == (200, "ok", False)


@pytest.mark.parametrize(("ago", "at_least"), [("30 seconds", 30), ("-2 hours", -7200)])
def test_the_age_of_a_heartbeat_is_by_the_databases_clock(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch, ago: str, at_least: int
) -> None:
    class Slow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Slow":
            return super().now(tz) - timedelta(days=1)

    monkeypatch.setattr(metrics, "datetime", Slow, raising=False)
    sweep_ran(world, ago)
    [line] = [each for each in api.get("/metrics").text.splitlines() if 'age_seconds{task="sweep"}' in each]
    assert at_least <= float(line.split()[1]) < at_least + 20


def test_not_ready_where_the_database_takes_no_writes_until_there_is_one_that_does(world: World, api: Api) -> None:
    with at_first_a_standby(world), capture_logs() as logs:
        answers = [api.get("/readyz") for _ in range(2)]
    assert [answer.json()["checks"]["database"] for answer in answers] == ["failing", "ok"]
    assert [answer.json().get("advice") for answer in answers] == [database_check.READ_ONLY, None]
    [told] = [line for line in logs if line["event"] == "not ready: database"]
    assert (told["said"], told["advice"]) == (
        "cannot execute UPDATE in a read-only transaction (SQLSTATE 25006)",
        database_check.READ_ONLY,
    )


def test_a_password_that_the_database_refuses_is_told_as_that(world: World, api: Api) -> None:
    wrong = world.transactions.engine.url.set(password="wrong")
    wiring.plug_in(replace(world.wiring, begin=Transactions(create_engine(wrong))))
    answer = api.get("/readyz")
    wiring.plug_in(world.wiring)
    assert (answer.json()["checks"]["database"], answer.json()["advice"]) == ("failing", database_check.REFUSED)


def test_a_database_that_takes_no_writes_counts_as_away_in_the_metrics(world: World, api: Api) -> None:
    """Heartbeats that grow old would say that workers and beat have died."""
    with at_first_a_standby(world):
        answers = [api.get("/metrics").text for _ in range(2)]
    assert [database_metrics(answer) for answer in answers] == [{"up 0.0"}, {"up 1.0", "others"}]


@contextmanager
def at_first_a_standby(world: World) -> Iterator[None]:
    """The first connection refuses writes; the next is to a server that takes them."""
    engine = create_engine(world.transactions.engine.url)
    keep_values_out_of_errors(engine)
    set_up_sessions(engine)
    standby = iter([True])

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.read_only = next(standby, False)

    wiring.plug_in(replace(world.wiring, begin=Transactions(engine)))
    yield
    wiring.plug_in(world.wiring)
    engine.dispose()


def test_not_ready_while_the_database_is_frozen_and_says_so_before_a_probe_gives_up(live: str, world: World) -> None:
    """Its connections are open, and nothing answers."""
    engine = create_engine(world.transactions.engine.url, pool_size=1, max_overflow=0)
    set_up_sessions(engine)
    wiring.plug_in(replace(world.wiring, begin=Transactions(engine)))
    with engine.connect() as connection:
        backend = connection.scalar(text("select pg_backend_pid()"))
    os.kill(backend, signal.SIGSTOP)
    try:
        answers = [httpx.get(f"{live}/readyz", timeout=30) for _ in range(2)]
    finally:
        os.kill(backend, signal.SIGCONT)
    failing = {"database": "failing", "schema": "unknown", "beat": "unknown", "broker": "ok"}
    assert [(answer.status_code, answer.json()["checks"]) for answer in answers] == [(503, failing)] * 2
    assert httpx.get(f"{live}/readyz", timeout=240).json()["checks"]["database"] == "ok"
    wiring.plug_in(world.wiring)
    engine.dispose()


def database_metrics(printed: str) -> set[str]:
    """Whether the database is up, and whether there are metrics that it told."""
    [up] = [line for line in printed.splitlines() if line.startswith("prorata_database_up ")]
    others = re.search(r"^prorata_(?!database_up|request)", printed, re.MULTILINE)
    return {up.removeprefix("prorata_database_"), *(["others"] if others else [])}


def test_a_full_disk_is_told_of_by_requests_that_fail_and_by_no_probe(world: World, api: Api, ada: Customer) -> None:
    """PostgreSQL still changes rows where their pages have room, so heartbeats stay fresh, too; see "A full disk" in docs/operations.md."""
    api.use(ada)
    with world.begin() as session:
        session.execute(text(_NO_ROOM))
    try:
        assert problem(api.quote(ada, purchase())) == (503, "temporarily-unavailable")
        assert api.get("/readyz").status_code == 200
        told = api.get("/metrics").text
    finally:
        with world.begin() as session:
            session.execute(text("drop function no_room cascade"))
    assert database_metrics(told) == {"up 1.0", "others"}
    assert re.search(
        r'^prorata_requests_total{method="POST",route="/v1/quotes",status="503"} [1-9]', told, re.MULTILINE
    )


_NO_ROOM = """
    create function no_room() returns trigger language plpgsql as $$
    begin raise 'could not extend file: No space left on device' using errcode = 'disk_full'; end $$;
    create trigger no_room before insert on quotes execute function no_room()
"""


@pytest.mark.parametrize("older", ["0009", None])
def test_not_ready_until_an_older_releases_database_is_upgraded(world: World, api: Api, older: str | None) -> None:
    set_to(world, older)
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["schema"]) == (503, "failing")
    assert answer.json()["advice"] == "the database is older than this release: run `prorata db upgrade`"
    set_to(world, migrations.head())
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["schema"], "advice" in answer.json()) == (200, "ok", False)


@pytest.mark.parametrize("older", ["0016", None])
def test_an_older_releases_database_counts_as_away_in_the_metrics(world: World, api: Api, older: str | None) -> None:
    """What orders need may be missing in it, though all that the metrics count is there."""
    set_to(world, older)
    assert database_metrics(api.get("/metrics").text) == {"up 0.0"}
    set_to(world, "0815")
    assert database_metrics(api.get("/metrics").text) == {"up 1.0", "others"}


def test_ready_while_a_newer_release_is_rolled_out(world: World, api: Api) -> None:
    """It upgrades the database first."""
    set_to(world, "0815")
    answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["schema"]) == (200, "ok")


def set_to(world: World, revision: str | None) -> None:
    with world.begin() as session:
        session.execute(text("DELETE FROM alembic_version"))
        session.execute(
            text("INSERT INTO alembic_version SELECT cast(:it AS text) WHERE :it IS NOT NULL"), {"it": revision}
        )


@pytest.mark.parametrize(
    ("refuses", "says", "advises"),
    [
        ("replicaof 127.0.0.1 1", "You can't write against a read only replica.", broker_check.REPLICA),
        ("config set maxmemory 1", "command not allowed when used memory > 'maxmemory'.", broker_check.FULL),
        ("acl setuser default -set", "has no permissions to run the 'set' command", broker_check.RIGHTS),
        ("config set requirepass another", "authenticated", broker_check.LOGIN),
    ],
)
def test_not_ready_where_the_broker_takes_no_writes_and_says_why(
    api: Api, tmp_path: Path, refuses: str, says: str, advises: str
) -> None:
    with embedded_redis(tmp_path, persistence=False) as server:
        state(api).parts = replace(state(api).parts, require_broker=lambda: broker_check.require_writes(server.url))
        assert api.get("/readyz").json()["checks"]["broker"] == "ok"
        with Redis.from_url(server.url) as client:
            client.execute_command(*refuses.split())
        with capture_logs() as logs:
            answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["broker"], answer.json().get("advice")) == (
        503,
        "failing",
        advises,
    )
    [told] = [line for line in logs if line["event"] == "not ready: broker"]
    assert (says in told["said"], told.get("advice")) == (True, advises)


def test_where_redis_cannot_write_to_its_disk_that_is_said_and_beat_is_not_blamed(
    world: World, api: Api, tmp_path: Path
) -> None:
    sweep_ran(world, "61 seconds")
    with embedded_redis(tmp_path, persistence=False) as server, Redis.from_url(server.url) as client:
        state(api).parts = replace(state(api).parts, require_broker=lambda: broker_check.require_writes(server.url))
        cannot_save(client, tmp_path)
        with capture_logs() as logs:
            answer = api.get("/readyz")
    checks = answer.json()["checks"]
    assert (checks["broker"], checks["beat"], answer.json()["advice"]) == (
        "failing",
        "failing",
        broker_check.UNWRITABLE,
    )
    told = {line["event"]: line.get("advice") for line in logs if line["event"].startswith("not ready")}
    assert told == {"not ready: broker": broker_check.UNWRITABLE, "not ready: beat": None}


def cannot_save(client: Redis, folder: Path) -> None:
    """Its snapshot is a folder, which no file replaces, so that it refuses writes (MISCONF) as on a full disk."""
    (folder / "snapshots" / "dump.rdb" / "full").mkdir(parents=True)
    client.config_set("dir", str(folder / "snapshots"))
    client.config_set("save", "3600 1")
    client.set("changed", 1)
    client.bgsave()
    assert eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")


def test_without_the_database_the_process_is_alive_but_not_ready(world: World, api: Api, ada: Customer) -> None:
    wiring.plug_in(replace(world.wiring, begin=_nowhere()))
    with capture_logs() as logs:
        answer = api.get("/readyz")
        api.get("/metrics")
    said = {line["event"]: line["said"] for line in logs if "said" in line}
    assert {event: "Connection refused" in words for event, words in said.items()} == {
        "not ready: database": True,
        "metrics without the database": True,
    }
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "failing")
    assert api.get("/healthz").status_code == 200
    refused = api.get("/v1/orders")
    assert problem(refused) == (503, "temporarily-unavailable")
    assert refused.headers["retry-after"] == "5"


def test_without_the_database_the_metrics_say_so_and_what_this_process_knows(world: World, api: Api) -> None:
    """An alert needs a number: a scrape that fails as a whole gives none."""
    wiring.plug_in(replace(world.wiring, begin=_nowhere()))
    api.get("/healthz")
    answer = api.get("/metrics")
    wiring.plug_in(world.wiring)
    assert answer.status_code == 200
    assert "prorata_database_up 0.0" in answer.text.splitlines()
    assert 'prorata_requests_total{method="GET",route="/healthz",status="200"}' in answer.text
    assert "prorata_orders{" not in answer.text
    assert "prorata_database_up 1.0" in api.get("/metrics").text.splitlines()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_only_the_status_is_asked_of_answers_head_too(api: Api, path: str) -> None:
    assert api.client.head(path).status_code == 200


def _nowhere() -> Transactions:
    """A database that is away."""
    url = "postgresql+psycopg://nobody:none@127.0.0.1:1/none"
    return Transactions(create_engine(url, connect_args={"connect_timeout": 1}))
