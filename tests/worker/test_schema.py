"""No process of a release starts on the database of an older one; on that of a newer one it does, while that is rolled out."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from models import migrations
from tests.support.command import SETTINGS, Command, Ended, prorata_of_its_own
from tests.worker.test_database import of_a_process
from tests.worker.test_upgrading import of, set_to
from worker import schema, server_urls
from worker.embedded import PostgresServer
from worker.processes import Supervisor, http_ok


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as made:
        yield made


@pytest.mark.parametrize("command", ["api", "worker", "beat"])
def test_on_an_older_database_it_says_what_to_run(command: str, fresh_database_url: str) -> None:
    set_to(fresh_database_url, "0009")
    ended = prorata_of_its_own(command, **of(fresh_database_url))
    assert (ended.status, ended.out) == (3, "")
    assert ended.err == (
        f"The database at {server_urls.name(fresh_database_url)} is at 0009, older than this release, "
        f"which needs {migrations.head()}: run `prorata db upgrade` first.\n"
    )


def test_an_empty_database_is_an_older_one(postgres_server: PostgresServer) -> None:
    ended = prorata_of_its_own("worker", **of(postgres_server.create_database("empty-before-a-start")))
    assert ended.status == 3
    assert "is at no revision yet, older than this release" in ended.err


def test_an_older_postgresql_is_refused_with_what_is_needed(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is as old as that, so what is needed is newer than this one."""
    monkeypatch.setattr(migrations, "OLDEST_SERVER", 99)
    for refused in (migrations.upgrade, lambda url: schema.check(url, in_production=True)):
        with pytest.raises(migrations.ServerTooOld, match=r"^This is PostgreSQL \d\d; Prorata needs 99 or later\.$"):
            refused(fresh_database_url)


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def in_another_encoding(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """An encoding, and the address of a database that has it."""
    name = f"in-{request.param}"
    server = create_engine(postgres_server.url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{request.param}'"))
    server.dispose()
    yield request.param, make_url(postgres_server.url).set(database=name).render_as_string(hide_password=False)
    postgres_server.drop_database(name)


def test_a_database_that_cannot_hold_every_letter_is_refused_with_how_to_create_one_that_can(
    in_another_encoding: tuple[str, str], prorata: Command
) -> None:
    encoding, url = in_another_encoding
    why = (
        f"This database's encoding is {encoding}; Prorata needs UTF8. Create another database "
        "(createdb --template=template0 --encoding=UTF8 --locale=C NAME), and name it in PRORATA_DATABASE_URL."
    )
    assert prorata("db", "upgrade", **of(url)) == Ended(1, "", f"{why}\n")
    with pytest.raises(migrations.NotUtf8, match=f"^{re.escape(why)}$"):
        schema.check(url, in_production=True)
    assert "run `prorata db upgrade`" in prorata("orders", "list", **of(url)).err


@pytest.mark.parametrize("made", [migrations.engine, of_a_process])
def test_what_we_read_and_write_is_utf8_whatever_the_client_is_told(
    made: Callable[[str], Engine], fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    engine = made(fresh_database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 'Visa •••• 4242'")) == "Visa •••• 4242"
    engine.dispose()


@pytest.fixture
def api(processes: Supervisor) -> Callable[[str], str]:
    def serving(database: str) -> str:
        """What `prorata api` has written by the time it serves."""
        port = processes.port()
        command = [sys.executable, "-m", "worker.entry", "api", f"--port={port}"]
        return processes.start(
            "api", command, env=of(database), ready=http_ok(f"http://127.0.0.1:{port}/healthz"), deadline=240
        ).output()

    return serving


def test_on_a_newer_database_it_starts_and_logs_so(api: Callable[[str], str], fresh_database_url: str) -> None:
    set_to(fresh_database_url, "0815")
    assert '"event": "the database is of a newer release"' in api(fresh_database_url)


@pytest.mark.parametrize("database", ["as_it_should_be", "away"])
def test_else_it_starts_without_a_word_of_it(api: Callable[[str], str], fresh_database_url: str, database: str) -> None:
    said = api(SETTINGS["PRORATA_DATABASE_URL"] if database == "away" else fresh_database_url)
    assert "release" not in said
