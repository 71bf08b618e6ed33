"""Connections that live and are of no more use: the server is a standby now, or a table has changed under prepared statements."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, bindparam, create_engine, event, select, text
from sqlalchemy.exc import OperationalError

from models.accounts import Account
from models.prepared import Prepared
from models.tables import metadata
from tests.support.messages import eventually
from worker.database import Transactions, set_up_sessions

NAMES = Prepared[str](select(Account.name).where(Account.country == bindparam("in")))
STORE = Prepared[()](text("INSERT INTO outdated (number) VALUES (:number)"))


@pytest.fixture
def engine(fresh_database_url: str) -> Iterator[Engine]:
    made = create_engine(fresh_database_url, pool_size=4, max_overflow=0, connect_args={"prepare_threshold": 1})
    set_up_sessions(made)
    metadata.create_all(made)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE outdated (number int)"))
    made.dispose()
    yield made
    made.dispose()


def used(engine: Engine, *, connections: int) -> None:
    """So many connections lie in the pool, with the statements prepared."""
    with ExitStack() as together:
        for session in [together.enter_context(Transactions(engine)()) for _ in range(connections)]:
            for _ in range(3):
                NAMES.all(session, {"in": "DE"})
                session.execute(select(Account.name))


def alter(engine: Engine) -> None:
    other = create_engine(engine.url)
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE accounts ALTER COLUMN name TYPE varchar(300)"))
    other.dispose()


@pytest.mark.parametrize("by", ["prepared", "session"])
def test_a_table_that_has_changed_costs_one_failure_that_is_temporary(engine: Engine, by: str) -> None:
    used(engine, connections=3)
    alter(engine)

    def ask() -> None:
        with Transactions(engine)() as session:
            if by == "prepared":
                NAMES.all(session, {"in": "DE"})
            else:
                session.execute(select(Account.name))

    with pytest.raises(OperationalError, match="cached plan"):
        ask()
    for _ in range(4):
        ask()


@pytest.mark.parametrize("by", ["prepared", "session"])
def test_a_server_that_takes_no_writes_is_away_and_left_for_a_new_connection(engine: Engine, by: str) -> None:
    read_only = True

    @event.listens_for(engine, "connect")
    def as_a_standby_would_be(connection: object, _: object) -> None:
        connection.read_only = read_only  # type: ignore[attr-defined]

    used(engine, connections=3)
    read_only = False

    def store() -> None:
        with Transactions(engine)() as session:
            if by == "prepared":
                STORE.run(session, {"number": 1})
            else:
                session.execute(text("INSERT INTO outdated (number) VALUES (1)"))

    with pytest.raises(OperationalError, match="read-only"):
        store()
    for _ in range(4):
        store()


def test_many_that_find_their_connections_outdated_at_once_open_no_more_than_the_pool_may(engine: Engine) -> None:
    used(engine, connections=4)
    alter(engine)
    together = threading.Barrier(8)

    def ask(_: int) -> int:
        together.wait()
        failed = 0
        for _ in range(6):
            try:
                with Transactions(engine)() as session:
                    NAMES.all(session, {"in": "DE"})
            except OperationalError:
                failed += 1
        return failed

    with ThreadPoolExecutor(8) as pool:
        assert 1 <= sum(pool.map(ask, range(8))) <= 4
    assert eventually(lambda: connected(engine) <= 4)  # who has hung up is there for a moment longer


def connected(engine: Engine) -> int:
    """In a transaction of its own, for in one PostgreSQL says the same each time."""
    with Transactions(engine)() as session:
        ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        number: int = session.scalars(text(ours)).one()
        return number
