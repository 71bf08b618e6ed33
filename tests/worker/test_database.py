"""Connections are looked at before use, for next to nothing; transactions end as their block does."""

import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from models import migrations
from models.prepared import Prepared
from tasks import snapshot
from tasks.errors import keeping
from worker import database
from worker.commands import failures
from worker.database import Transactions, check_before_use, set_up_sessions
from worker.embedded import postgres, wheels


@pytest.fixture
def engine(fresh_database_url: str) -> Iterator[Engine]:
    made = create_engine(fresh_database_url, pool_size=2, max_overflow=0)
    check_before_use(made)
    yield made
    made.dispose()


@pytest.fixture
def begin(engine: Engine) -> Transactions:
    return Transactions(engine)


def backend(session: Session) -> Any:
    return session.scalar(text("select pg_backend_pid()"))


def cut(url: str, *backends: Any) -> None:
    """As a server does that stops."""
    other = create_engine(url)
    with other.begin() as connection:
        for pid in backends:
            assert connection.scalar(text("select pg_terminate_backend(:pid, 60000)"), {"pid": pid})
    other.dispose()


def test_a_connection_is_used_again(begin: Transactions) -> None:
    with begin() as session:
        first = backend(session)
    with begin() as session:
        assert backend(session) == first


def test_connections_that_broke_while_they_rested_are_replaced_before_use(
    begin: Transactions, fresh_database_url: str
) -> None:
    with begin() as one, begin() as other:
        before = {backend(one), backend(other)}
    cut(fresh_database_url, *before)
    with begin() as one, begin() as other:
        assert before & {backend(one), backend(other)} == set()


@pytest.mark.parametrize(("unasked", "pings"), [(60.0, 0), (-1.0, 1)])
def test_postgresql_is_asked_only_after_a_rest(
    begin: Transactions, engine: Engine, monkeypatch: pytest.MonkeyPatch, unasked: float, pings: int
) -> None:
    monkeypatch.setattr(database, "UNASKED", unasked)
    with begin() as session:
        backend(session)
    counted: list[object] = []
    ping = engine.dialect.do_ping

    def counting(connection: DBAPIConnection) -> bool:
        counted.append(connection)
        return ping(connection)

    monkeypatch.setattr(engine.dialect, "do_ping", counting)
    with begin() as session:
        backend(session)
    assert len(counted) == pings


def test_what_raises_leaves_nothing_behind(begin: Transactions) -> None:
    with begin() as session:
        session.execute(text("create table kept (id int primary key)"))
    with pytest.raises(IntegrityError), begin() as session:
        session.execute(text("insert into kept values (1), (2), (2)"))
    with begin() as session:
        assert session.scalars(text("select id from kept")).all() == []


def of_a_process(url: str, *, connections: int = 2) -> Engine:
    settings = SimpleNamespace(database_url=SecretStr(url), database_pool_size=connections)
    return database.engine(cast(Any, settings))


ISOLATION = text("show transaction_isolation")


def set_default(url: str, name: str, value: str) -> None:
    other = create_engine(url)
    with other.begin() as connection:
        connection.execute(text(f"alter database \"{make_url(url).database}\" set {name} = '{value}'"))
    other.dispose()


def test_a_process_keeps_as_many_connections_as_its_setting_says(fresh_database_url: str) -> None:
    made = of_a_process(fresh_database_url, connections=3)
    held = [made.connect() for _ in range(3)]
    pool = cast(QueuePool, made.pool)
    assert (pool.checkedout(), pool.size(), pool.overflow()) == (3, 3, 0)
    for connection in held:
        connection.close()
    made.dispose()


@pytest.mark.parametrize("made", [of_a_process, migrations.engine])
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_what_locks_guard_is_read_anew_whatever_the_database_has_as_its_default(
    made: Callable[[str], Engine], level: str, fresh_database_url: str
) -> None:
    set_default(fresh_database_url, "default_transaction_isolation", level)
    engine = made(fresh_database_url)
    for _ in range(2):
        with Transactions(engine)() as session:
            assert session.scalar(ISOLATION) == "read committed"
    with Transactions(engine)() as session:
        assert snapshot.of_one_moment(session).scalar(ISOLATION) == "repeatable read"
    with Transactions(engine)() as session:
        assert session.scalar(ISOLATION) == "read committed"
    engine.dispose()


def test_times_are_read_whatever_the_database_has_as_its_style(fresh_database_url: str) -> None:
    set_default(fresh_database_url, "datestyle", "SQL, DMY")
    engine = of_a_process(fresh_database_url)
    with Transactions(engine)() as session:
        assert session.scalar(text("select timestamptz '2026-11-30 12:00Z'")) == datetime(2026, 11, 30, 12, tzinfo=UTC)
    engine.dispose()


@pytest.mark.parametrize("style", ["sql_standard", "postgres_verbose", "iso_8601"])
def test_ages_are_read_whatever_the_database_has_as_its_style(style: str, fresh_database_url: str) -> None:
    set_default(fresh_database_url, "intervalstyle", style)
    engine = of_a_process(fresh_database_url)
    with Transactions(engine)() as session:
        assert session.scalar(text("select interval '-1 day -2 hours'")) == -timedelta(days=1, hours=2)
    engine.dispose()


_ADD_PERSON = text("insert into people values (:email, :age)")


@pytest.fixture
def people(fresh_database_url: str) -> Iterator[Transactions]:
    """The engine of a process, and a table of people."""
    made = of_a_process(fresh_database_url, connections=2)
    begin = Transactions(made)
    with begin() as session:
        session.execute(
            text(
                "create table people (email text constraint one_person unique deferrable,"
                " age int not null constraint grown_up check (age > 17))"
            )
        )
        session.execute(_ADD_PERSON, {"email": "ada@x.example", "age": 36})
    yield begin
    made.dispose()


@pytest.mark.parametrize(
    "add",
    [
        lambda session, person: session.execute(_ADD_PERSON, person),
        lambda session, person: Prepared[()](_ADD_PERSON).run(session, person),
    ],
    ids=["through the session", "prepared"],
)
@pytest.mark.parametrize(
    ("person", "said", "constraint"),
    [
        (
            {"email": "ada@x.example", "age": 18},
            'duplicate key value violates unique constraint "one_person" (SQLSTATE 23505)',
            "one_person",
        ),
        (
            {"email": "bo@x.example", "age": 17},
            'new row for relation "people" violates check constraint "grown_up" (SQLSTATE 23514)',
            "grown_up",
        ),
        (
            {"email": "bo@x.example", "age": None},
            'null value in column "age" of relation "people" violates not-null constraint (SQLSTATE 23502)',
            None,
        ),
    ],
    ids=["unique", "check", "not null"],
)
def test_an_error_names_the_constraint_and_not_the_values(
    people: Transactions,
    add: Callable[[Session, dict[str, Any]], object],
    person: dict[str, Any],
    said: str,
    constraint: str | None,
) -> None:
    with pytest.raises(IntegrityError) as refused, people() as session:
        add(session, person)
    driver: Any = refused.value.orig
    assert str(driver) == said
    assert said in str(refused.value)
    assert "x.example" not in "".join(traceback.format_exception(refused.value))
    assert driver.diag.constraint_name == constraint


def test_an_error_of_the_commit_names_the_constraint_and_not_the_values(people: Transactions) -> None:
    def add_twice() -> None:
        with people() as session:
            session.execute(text("set constraints all deferred"))
            session.execute(_ADD_PERSON, {"email": "ada@x.example", "age": 18})

    with pytest.raises(IntegrityError) as refused:
        add_twice()
    assert "one_person" in str(refused.value)
    assert "x.example" not in "".join(traceback.format_exception(refused.value))


def lock(session: Session) -> None:
    session.execute(text("select pg_advisory_xact_lock(7)"))


def test_nobody_waits_for_anothers_lock_longer_than_the_limit(begin: Transactions, engine: Engine) -> None:
    set_up_sessions(engine, behind_a_lock=0.1)
    with begin() as one, begin() as other:
        lock(one)
        with pytest.raises(OperationalError, match="lock timeout"):
            lock(other)


BEHIND_A_LOCK = "Not finished: other transactions hold the same rows in db:5432/prorata."


def test_a_command_behind_anothers_lock_says_that_it_is_to_be_tried_again(
    begin: Transactions, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    set_up_sessions(engine, behind_a_lock=0.1)
    with begin() as one, begin() as other:
        lock(one)
        assert failures.run(lambda: lock(other)) == 3
    assert capsys.readouterr().err == f"{BEHIND_A_LOCK} Nothing was changed. Try again later.\n"


def test_a_command_of_several_transactions_says_what_it_has_done_before_it_came_behind_a_lock(
    begin: Transactions, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        with keeping(lambda: "3 of 7 are done."), begin() as other:
            lock(other)

    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    set_up_sessions(engine, behind_a_lock=0.1)
    with begin() as one:
        lock(one)
        assert failures.run(command) == 3
    assert capsys.readouterr().err == f"{BEHIND_A_LOCK} 3 of 7 are done. Try again later.\n"


def test_a_command_whose_statement_took_longer_than_its_role_may_names_the_setting(
    begin: Transactions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        with begin() as session:
            session.execute(text("SET LOCAL statement_timeout = 1"))
            session.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    assert failures.run(command) == 3
    assert capsys.readouterr().err == (
        "Not finished: db:5432/prorata ended a statement (canceling statement due to statement timeout). Nothing was changed. "
        "If nobody cancelled it, its role has a statement_timeout that is too short: ALTER ROLE ... SET statement_timeout = 0, "
        "then run it again.\n"
    )


def test_a_command_that_stood_still_for_too_long_says_so_and_that_nothing_was_changed(
    begin: Transactions,
    engine: Engine,
    fresh_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    patient = create_engine(fresh_database_url)

    def stand_still() -> None:
        with begin() as session:
            lock(session)
            with Transactions(patient)() as other:
                lock(other)  # waits until PostgreSQL has ended the first
            session.execute(text("select 1"))

    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    set_up_sessions(engine, idle_with_locks=0.1)
    assert failures.run(stand_still) == 3
    assert capsys.readouterr().err == (
        "Not finished: this command stood still for too long (suspended, or short of processor time?), so db:5432/prorata "
        "undid its transaction. Nothing was changed. Run it again.\n"
    )
    patient.dispose()


def test_whoever_is_frozen_in_a_transaction_loses_it_and_its_locks(
    begin: Transactions, engine: Engine, fresh_database_url: str
) -> None:
    set_up_sessions(engine, idle_with_locks=1.0)
    patient = create_engine(fresh_database_url)
    set_up_sessions(patient, behind_a_lock=60)
    with begin() as frozen:
        lock(frozen)
        with Transactions(patient)() as other:
            lock(other)  # waits until PostgreSQL has ended the first
        with pytest.raises(OperationalError, match="idle-in-transaction") as lost:
            frozen.execute(text("select 1"))
        frozen.rollback()
    assert lost.value.connection_invalidated
    with begin() as session:
        lock(session)
    patient.dispose()


@pytest.fixture
def newer_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a database on PostgreSQL 18: 17 is the first with `transaction_timeout`."""
    monkeypatch.setattr(wheels, "POSTGRES_BIN", Path("pginstall18/bin"))
    with postgres(tmp_path, durable=False) as server:
        yield server.url


def test_a_transaction_that_takes_longer_than_its_role_may_is_temporary_trouble(newer_url: str) -> None:
    limiting = create_engine(newer_url)
    with limiting.begin() as connection:
        connection.execute(text("alter role current_user set transaction_timeout = '1s'"))
    limiting.dispose()
    made = of_a_process(newer_url)
    begin = Transactions(made)
    with pytest.raises(OperationalError, match="transaction timeout") as lost, begin() as session:
        session.execute(text("select pg_sleep(60)"))
    assert lost.value.connection_invalidated
    with begin() as session:
        assert session.scalar(text("show transaction_timeout")) == "1s"
    made.dispose()
