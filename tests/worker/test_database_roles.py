"""The two roles that docs/deploying.md tells how to make: one may migrate, the other may do all the rest and pass no guard."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from models.invoices import Invoice
from models.ledger import LedgerMovement
from models.states import OrderStatus
from tasks.errors import database_is_away
from tasks.personal_data import erasure
from tasks.upstream import api_keys
from tests.support.catalogue import add_catalogue
from tests.support.command import PRODUCTION, SETTINGS, Ended, prorata_of_its_own
from tests.support.world import World, change, purchase
from worker import server_urls
from worker.database import Transactions
from worker.embedded import postgres
from worker.processes import Supervisor, http_ok

DOCUMENT = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
WARNING = "the database's role can switch off what guards invoices and ledger"


def statements() -> list[list[str]]:
    """What is to be done as a superuser, and then in the new database."""
    section = DOCUMENT.partition("\n### Two roles in PostgreSQL\n")[2].partition("\n### ")[0]
    return [block.split(";\n")[:-1] for block in re.findall(r"```sql\n(.*?)```", section, re.DOTALL)]


@pytest.fixture(scope="module")
def superuser_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the database that the roles were made for, in a server of its own: roles are a whole server's."""
    with postgres(tmp_path_factory.mktemp("two-roles"), durable=False) as server:
        url = make_url(server.url).set(database="prorata").render_as_string(hide_password=False)
        for address, block in zip((server.url, url), statements(), strict=True):
            engine = create_engine(address, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for statement in block:
                    connection.execute(text(statement))
            engine.dispose()
        yield url


def login(superuser_url: str, role: str) -> str:
    url = make_url(superuser_url).set(username=f"prorata_{role}", password=f"password-of-the-{role}")
    return url.render_as_string(hide_password=False)


def in_production(url: str) -> dict[str, str]:
    return PRODUCTION | {"PRORATA_DATABASE_URL": url}


@pytest.fixture(scope="module")
def world_database_url(superuser_url: str) -> str:
    """As the lesser role reaches it, migrated by the owner."""
    ended = prorata_of_its_own("db", "upgrade", **in_production(login(superuser_url, "owner")))
    assert ended.status == 0, ended.err
    app = login(superuser_url, "app")
    engine = create_engine(app)
    with Transactions(engine)() as session:
        add_catalogue(session)
    engine.dispose()
    return app


def test_the_lesser_role_carries_orders_and_passes_no_guard(world: World) -> None:
    customer = world.customer()
    for cart in (purchase(seats=3), change(seats=2)):
        assert world.buy(customer, cart).status is OrderStatus.COMPLETED
    assert [len(world.rows(table)) > 0 for table in (Invoice, LedgerMovement)] == [True, True]
    erasure.erase(world.customer().email, by="bob", why="asked")
    with world.begin() as session:
        api_keys.issue(session, name="shop", scopes=[], account_ids=[customer.account_id], by="bob")
    for statement, says in (
        ("UPDATE invoices SET number = 'X'", "an issued document is never changed"),
        ("DELETE FROM ledger_movements", "refused"),
        ("DELETE FROM order_events", "the timeline of an order is only ever added to"),
        ("DELETE FROM erasures", "the record of an erasure never changes"),
        ("DELETE FROM api_key_changes", "the record of what happened to a key never changes"),
        ("TRUNCATE ledger_movements", "permission denied for table ledger_movements"),
        ("SET session_replication_role = replica", 'permission denied to set parameter "session_replication_role"'),
        ("ALTER TABLE invoices DISABLE TRIGGER ALL", "must be owner of table invoices"),
        ("DROP TRIGGER invoices_are_frozen ON invoices", "must be owner of relation invoices"),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS ''",
            "permission denied for schema",
        ),
        ("SET ROLE prorata_owner", 'permission denied to set role "prorata_owner"'),
    ):
        with pytest.raises(DBAPIError, match=says), world.begin() as session:
            session.execute(text(statement))


@pytest.mark.parametrize(("role", "warned"), [("owner", True), ("app", False)])
def test_production_says_at_its_start_that_its_role_may_do_too_much(
    role: str, warned: bool, world_database_url: str, superuser_url: str, tmp_path: Path
) -> None:
    with Supervisor(tmp_path) as processes:
        port = processes.port()
        command = [sys.executable, "-m", "worker.entry", "api", f"--port={port}"]
        ready = http_ok(f"http://127.0.0.1:{port}/healthz")
        env = in_production(login(superuser_url, role))
        assert (WARNING in processes.start("api", command, env=env, ready=ready, deadline=240).output()) is warned


@pytest.fixture(scope="module")
def stranger(superuser_url: str, world_database_url: str) -> str:
    """The address for a role that may look at nothing in the database, which is up to date."""
    engine = create_engine(superuser_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in (
            "CREATE ROLE prorata_stranger LOGIN PASSWORD 'password-of-the-stranger'",
            "GRANT CONNECT ON DATABASE prorata TO prorata_stranger",
            "GRANT USAGE ON SCHEMA public TO prorata_stranger",
            "GRANT SELECT ON alembic_version TO prorata_stranger",
        ):
            connection.execute(text(statement))
    engine.dispose()
    return login(superuser_url, "stranger")


@pytest.mark.parametrize("words", ["orders list", "worker", "beat", "api"])
def test_without_its_rights_a_role_is_named_with_where_to_read_which(words: str, stranger: str) -> None:
    ended = prorata_of_its_own(*words.split(), **SETTINGS | {"PRORATA_DATABASE_URL": stranger})
    said = ended.err.replace(" (SQLSTATE 42501)", "")
    assert (ended.status, said) == (3, without_rights(stranger, "permission denied for table orders"))


def test_a_role_that_may_make_no_tables_is_told_so_by_an_upgrade(stranger: str, superuser_url: str) -> None:
    """Nobody may in another database's `public`; whoever may not even use it finds no schema to create in."""
    engine = create_engine(superuser_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE empty"))
    engine.dispose()
    empty = make_url(stranger).set(database="empty")
    engine = create_engine(make_url(superuser_url).set(database="empty"), isolation_level="AUTOCOMMIT")
    for grant, says in (
        ("GRANT USAGE ON SCHEMA public TO PUBLIC", "permission denied for schema public"),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "no schema has been selected to create in"),
    ):
        with engine.connect() as connection:
            connection.execute(text(grant))
        url = empty.render_as_string(hide_password=False)
        ended = prorata_of_its_own("db", "upgrade", **SETTINGS | {"PRORATA_DATABASE_URL": url})
        kept = "Each migration that was done stays done."
        assert ended == Ended(3, "", f"{without_rights(url, says).rstrip()} {kept}\n")
    engine.dispose()


def without_rights(url: str, says: str) -> str:
    return (
        f"The role prorata_stranger lacks a right in the database at {server_urls.name(url)} (PRORATA_DATABASE_URL): {says}. "
        'What to grant is said under "Two roles in PostgreSQL" in docs/deploying.md.\n'
    )


def test_a_server_that_lets_a_role_open_no_more_connections_is_said_to_refuse(
    superuser_url: str, stranger: str
) -> None:
    engine = create_engine(superuser_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE ROLE prorata_crowd LOGIN PASSWORD 'password-of-the-crowd' CONNECTION LIMIT 0"))
        connection.execute(text("GRANT CONNECT ON DATABASE prorata TO prorata_crowd"))
    engine.dispose()
    url = login(superuser_url, "crowd")
    ended = prorata_of_its_own("orders", "list", **SETTINGS | {"PRORATA_DATABASE_URL": url})
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith(f"The database at {server_urls.name(url)} refuses (PRORATA_DATABASE_URL): ")
    assert ended.err.endswith('FATAL:  too many connections for role "prorata_crowd"\n')
    with pytest.raises(OperationalError) as refused, create_engine(url).connect():
        pass
    assert not database_is_away(refused.value)
