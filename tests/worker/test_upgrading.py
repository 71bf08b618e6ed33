"""`prorata db upgrade` beside those who use the database, and the way back with `prorata db downgrade`."""

import io
import queue
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from models import migrations
from models.api_keys import KeyChange
from models.support_cases import SupportCase
from tasks.upstream import api_keys, key_history
from tests.support.command import SETTINGS, Command, prorata_of_its_own
from tests.support.world import World, change, purchase
from worker import server_urls, upgrading
from worker.commands import failures
from worker.embedded import PostgresServer

BECOMES_ANOTHER = ["worker"]
"""program: it needs a process of its own"""


def head() -> str | None:
    return ScriptDirectory.from_config(migrations.config("")).get_current_head()


def at(url: str) -> str | None:
    engine = create_engine(url)
    with engine.connect() as connection:
        standing: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    return standing


def set_to(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def of(url: str) -> dict[str, str]:
    return SETTINGS | {"PRORATA_DATABASE_URL": url}


def test_an_upgrade_that_gives_up_on_a_table_says_that_what_was_done_stays(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres_server.create_database("behind-a-backup-for-ever")
    migrations.upgrade(url, "0001")
    monkeypatch.setattr(upgrading, "PATIENCE", 0)
    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    engine = create_engine(url)
    with engine.connect() as backup:
        backup.execute(text("LOCK TABLE orders IN ACCESS SHARE MODE"))
        assert failures.run(lambda: upgrading.upgrade(url, say=lambda _: None)) == 3
    assert capsys.readouterr().err == (
        "Not finished: other transactions hold the same rows in db:5432/prorata. "
        "Each migration that was done stays done. Try again later.\n"
    )
    engine.dispose()


WITHOUT_ROOM = """
    create function no_room() returns trigger language plpgsql as
    $$ begin raise 'could not extend file "base/5/1259": No space left on device' using errcode = 'disk_full'; end $$;
    create trigger no_room before update on alembic_version for each row when (new.version_num = '{at}') execute function no_room()
"""
"""PostgreSQL's disk is full when it comes to that migration"""


@pytest.mark.parametrize(
    ("words", "start", "at_fault", "end", "kept"),
    [
        (["upgrade"], "0001", "0004", "0003", "Each migration that was done stays done."),
        (["downgrade", "0002", "--yes"], "0006", "0004", "0006", "A downgrade is all or nothing."),
    ],
)
def test_on_a_full_disk_it_says_so_and_what_is_done(
    words: list[str],
    start: str,
    at_fault: str,
    end: str,
    kept: str,
    prorata: Command,
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.create_database(f"on-a-full-disk-at-{start}")
    migrations.upgrade(url, start)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(WITHOUT_ROOM.format(at=at_fault)))
    engine.dispose()
    ended = prorata("db", *words, **of(url))
    assert (ended.status, ended.err) == (
        3,
        f"The database at {server_urls.name(url)} has too little room, memory or connections left for this: "
        f'could not extend file "base/5/1259": No space left on device. Run it again once there is enough. {kept}\n',
    )
    assert at(url) == end


@pytest.mark.parametrize(
    ("change", "start", "end"), [(upgrading.upgrade, "0006", "0009"), (upgrading.downgrade, "0009", "0006")]
)
def test_an_upgrade_and_a_downgrade_wait_for_a_table_without_holding_up_those_who_use_it(
    change: Callable[..., None], start: str, end: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database(f"from-{start}-behind-a-backup")
    migrations.upgrade(url, start)
    monkeypatch.setattr(upgrading, "PAUSE", 0.3)
    waits: queue.Queue[str] = queue.Queue()
    engine = create_engine(url)
    with ThreadPoolExecutor(1) as pool, engine.connect() as backup:
        backup.execute(text("LOCK TABLE orders IN ACCESS SHARE MODE"))
        changed = pool.submit(change, url, end, say=waits.put)
        assert "Others are using a table" in waits.get(timeout=240)
        with engine.connect() as order:
            order.execute(text("SET statement_timeout = '20s'"))
            assert order.execute(text("SELECT count(*) FROM orders")).scalar() == 0
        backup.rollback()
        changed.result(timeout=240)
    assert at(url) == end
    engine.dispose()


def test_a_migration_that_waits_for_a_table_leaves_those_before_it_done(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("a-late-migration-waits")
    migrations.upgrade(url, "0012")
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("LOCK TABLE support_cases IN ACCESS SHARE MODE"))
        with pytest.raises(OperationalError) as waited:
            migrations.upgrade(f"{url}?options=-cstatement_timeout%3D1s", "0016")
    assert isinstance(waited.value.orig, LockNotAvailable), "a role's statement_timeout counts here"
    assert at(url) == "0015"
    with engine.connect() as other:
        other.execute(text("LOCK TABLE orders, receivables IN ACCESS EXCLUSIVE MODE"))
        migrations.upgrade(url, "0016")
    assert at(url) == "0016"
    engine.dispose()


@pytest.mark.parametrize(("change", "start", "end"), [("upgrade", "0008", "0009"), ("downgrade", "0009", "0008")])
def test_the_migration_that_alters_most_tables_does_nothing_before_it_has_them(
    change: str, start: str, end: str, postgres_server: PostgresServer
) -> None:
    url = postgres_server.create_database(f"from-{start}-without-a-table")
    migrations.upgrade(url, start)
    engine = create_engine(url)
    with engine.connect() as other:
        other.execute(text("LOCK TABLE vat_checks IN ACCESS SHARE MODE"))
        with pytest.raises(OperationalError) as waited:
            getattr(migrations, change)(url, end)
    assert str(waited.value.statement).startswith("LOCK TABLE accounts,")
    engine.dispose()


def test_two_upgrades_at_once_do_each_migration_once(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("two-upgrades-at-once")
    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(prorata_of_its_own, "db", "upgrade", **of(url)) for _ in range(2)]
        assert [each.result(timeout=240).status for each in ended] == [0, 0]
    assert at(url) == head()


def test_a_downgrade_says_of_which_database_and_an_upgrade_undoes_it(prorata: Command, fresh_database_url: str) -> None:
    ended = prorata("db", "downgrade", "0007", "--yes", **of(fresh_database_url))
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(
        f"The database at {server_urls.name(fresh_database_url)} goes back from {head()} to 0007. "
    )
    assert ended.out.endswith("The database is at 0007.\n")
    assert at(fresh_database_url) == "0007"
    assert prorata("db", "upgrade", **of(fresh_database_url)).out == "The database is up to date.\n"
    assert at(fresh_database_url) == head()


def test_a_downgrade_never_says_a_password(prorata: Command, fresh_database_url: str) -> None:
    url = make_url(fresh_database_url).set(password="secret").render_as_string(hide_password=False)
    ended = prorata("db", "downgrade", "0008", "--yes", **of(url))
    assert "secret" not in ended.out + ended.err


def test_a_program_must_say_that_it_means_it(prorata: Command, fresh_database_url: str) -> None:
    ended = prorata("db", "downgrade", "0007", **of(fresh_database_url))
    assert ended.status == 2
    assert "--yes" in ended.err
    assert at(fresh_database_url) == head()


@pytest.mark.parametrize(("answer", "status", "end"), [("y", 0, "0008"), ("n", 1, head()), ("", 1, head())])
def test_a_downgrade_begins_once_a_person_says_yes_and_not_otherwise(
    answer: str,
    status: int,
    end: str | None,
    prorata: Command,
    fresh_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    ended = prorata("db", "downgrade", "0008", **of(fresh_database_url))
    assert (ended.status, at(fresh_database_url)) == (status, end)
    assert "Continue?" in ended.out


@pytest.mark.parametrize(
    ("revision", "status", "said"),
    [
        ("0009", 1, "0009 is not behind the database, which is at 0008: nothing to take back.\n"),
        ("0008", 1, "0008 is not behind the database, which is at 0008: nothing to take back.\n"),
        ("base", 2, f"There is no revision base; there are 0001 to {head()}.\n"),
        ("head", 2, f"There is no revision head; there are 0001 to {head()}.\n"),
        ("0815", 2, f"There is no revision 0815; there are 0001 to {head()}.\n"),
    ],
)
def test_a_downgrade_goes_back_to_a_named_revision_or_nowhere(
    revision: str, status: int, said: str, prorata: Command, fresh_database_url: str
) -> None:
    migrations.downgrade(fresh_database_url, "0008")
    ended = prorata("db", "downgrade", revision, "--yes", **of(fresh_database_url))
    assert (ended.status, ended.out, ended.err) == (status, "", said)
    assert at(fresh_database_url) == "0008"


def test_an_empty_database_has_nothing_to_take_back(prorata: Command, postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("empty-before-a-downgrade")
    ended = prorata("db", "downgrade", "0007", "--yes", **of(url))
    assert ended.err == "0007 is not behind the database, which is at no revision yet: nothing to take back.\n"


def test_an_upgrade_does_not_go_back_and_names_what_does(prorata: Command, fresh_database_url: str) -> None:
    ended = prorata("db", "upgrade", "0007", **of(fresh_database_url))
    assert (ended.status, ended.out) == (1, "")
    assert f"The database is at {head()}, beyond 0007" in ended.err
    assert "`prorata db downgrade 0007`" in ended.err
    assert at(fresh_database_url) == head()


@pytest.mark.parametrize("words", [["upgrade"], ["upgrade", "0007"], ["downgrade", "0007", "--yes"]])
def test_a_database_of_a_newer_release_is_taken_back_by_that_release(
    words: list[str], prorata: Command, fresh_database_url: str
) -> None:
    set_to(fresh_database_url, "0815")
    ended = prorata("db", *words, **of(fresh_database_url))
    assert (ended.status, ended.out) == (1, "")
    assert "The database is at 0815, of a newer release" in ended.err
    assert f"the newer release's `prorata db downgrade {head()}`" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(("standing", "words"), [("0815", ["upgrade"]), (head(), ["upgrade", "0007"])])
def test_a_newer_database_is_left_as_it_is_where_that_will_do(
    standing: str, words: list[str], prorata: Command, fresh_database_url: str
) -> None:
    set_to(fresh_database_url, standing)
    ended = prorata("db", *words, "--or-newer", **of(fresh_database_url))
    assert (ended.status, ended.out) == (0, "")
    assert ended.err.startswith(f"The database is at {standing}, ")
    assert ended.err.endswith(" Left as it is.\n")
    assert at(fresh_database_url) == standing


def test_where_a_newer_database_will_do_an_older_one_is_upgraded(prorata: Command, fresh_database_url: str) -> None:
    migrations.downgrade(fresh_database_url, "0020")
    ended = prorata("db", "upgrade", "--or-newer", **of(fresh_database_url))
    assert (ended.status, ended.out, ended.err) == (0, "The database is up to date.\n", "")
    assert at(fresh_database_url) == head()


def test_what_an_older_release_has_no_room_for_is_not_taken_back(
    prorata: Command, world: World, world_database_url: str
) -> None:
    """A period that began within a second is counted so; here one is as if it had."""
    world.quote(world.customer(), purchase())
    with world.begin() as session:
        session.execute(text("UPDATE quote_lines SET share_unit = 'microsecond'"))
    ended = prorata("db", "downgrade", "0005", "--yes", **of(world_database_url))
    assert ended.status == 1
    assert ended.err == (
        "Nothing was changed: quote_lines holds shares of a period in microseconds, for which there is no room before 0006. "
        "Go back to 0006 at the earliest, or restore a backup that is older than these lines.\n"
    )
    assert at(world_database_url) == head()
    assert prorata("db", "downgrade", "0006", "--yes", **of(world_database_url)).status == 0


def test_credits_beyond_the_room_that_an_older_release_has_are_not_taken_back(
    prorata: Command, world: World, world_database_url: str
) -> None:
    world.buy(world.customer(), purchase())
    with world.begin() as session:
        session.execute(text("UPDATE subscription_periods SET charged_minor = 2147483648, unused_minor = 2147483648"))
    ended = prorata("db", "downgrade", "0017", "--yes", **of(world_database_url))
    assert (ended.status, ended.err) == (
        1,
        "Nothing was changed: subscription_periods holds credits above 2147483647, for which there is no room before 0018. "
        "Go back to 0018 at the earliest, or restore a backup that is older than these credits.\n",
    )
    assert at(world_database_url) == head()
    with world.begin() as session:
        session.execute(text("UPDATE subscription_periods SET unused_minor = 2147483647"))
    assert prorata("db", "downgrade", "0017", "--yes", **of(world_database_url)).status == 0


def test_support_cases_that_there_are_get_numbers_and_an_older_release_opens_more(
    prorata: Command, world: World, world_database_url: str
) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", "business"))
    for tier in ("team", "basic"):
        world.refused(ada, change(tier=tier))
    assert prorata("db", "downgrade", "0015", "--yes", **of(world_database_url)).status == 0
    with world.begin() as session:
        session.execute(
            text("UPDATE support_cases SET created_at = '2026-10-01', closed_at = '2026-10-02' WHERE to_tier = 'team'")
        )
    assert prorata("db", "upgrade", **of(world_database_url)).status == 0
    with world.begin() as session:
        older = text("""
            INSERT INTO support_cases (id, account_id, contact_id, product_code, from_tier, to_tier, seats, text)
            SELECT gen_random_uuid(), account_id, contact_id, 'chat', from_tier, to_tier, seats, text
            FROM support_cases WHERE closed_at IS NULL
        """)
        session.execute(older)
    cases = world.rows(SupportCase)
    assert sorted(case.number for case in cases) == [1, 2, 3]
    assert [case.asked_at for case in cases] == [case.created_at for case in cases]
    assert [(case.closed_by, case.closed_why) for case in cases] == [(None, None)] * 3


def test_keys_from_before_they_had_a_record_work_and_have_one_from_then_on(
    prorata: Command, world: World, world_database_url: str
) -> None:
    ada, bob = world.customer(), world.customer()
    with world.begin() as session:
        api_keys.issue(session, name="shop", scopes=[], account_ids=[ada.account_id], by="root")
    assert prorata("db", "downgrade", "0020", "--yes", **of(world_database_url)).status == 0
    assert prorata("db", "upgrade", **of(world_database_url)).status == 0
    with world.begin() as session:
        [key] = api_keys.issued(session)
        assert key_history.history(session, key.id) == [
            key_history.PastChange(changed_at=key.created_at, what=KeyChange.ISSUED)
        ]
        api_keys.allow(session, name="shop", account_ids=[bob.account_id], by="olga")
        past = key_history.history(session, key.id)
    assert [(each.what, each.changed_by) for each in past] == [(KeyChange.ISSUED, None), (KeyChange.ALLOWED, "olga")]


def test_an_older_release_can_read_what_was_sold_in_another_zone_than_it_credits(world: World) -> None:
    ada = world.customer(timezone="UTC")
    world.buy(ada, purchase("desk"))
    world.pass_time(days=3)
    world.change_account(ada, timezone="Europe/Berlin")
    changed = world.buy(ada, change("desk", seats=4))
    assert (changed.sold_to or {})["credit_timezones"] == {"desk": "UTC"}
    with world.begin() as session:
        url = session.get_bind().engine.url.render_as_string(hide_password=False)
    migrations.downgrade(url, "0023")
    for table in "orders", "quotes":
        with world.begin() as session:
            kept = session.execute(text(f"SELECT sold_to->>'timezone', sold_to ? 'credit_timezones' FROM {table}"))
            assert sorted(kept.all()) == [("Europe/Berlin", False), ("UTC", False)]


ANOTHERS = """
    create table things (id int);
    create table alembic_version (version_num varchar(32) not null primary key);
    insert into alembic_version values ('{revision}')
"""


def with_anothers_migrations(server: PostgresServer, name: str, revision: str) -> str:
    url = server.create_database(name)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(ANOTHERS.format(revision=revision)))
    engine.dispose()
    return url


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("0005", ["db", "upgrade"]),
        ("abcdef123456", ["db", "upgrade"]),
        ("abcdef123456", ["db", "upgrade", "--or-newer"]),
        ("0005", ["db", "downgrade", "0004", "--yes"]),
        ("abcdef123456", ["worker"]),
    ],
)
def test_another_applications_migrations_are_not_taken_for_ours(
    prorata: Command, revision: str, words: list[str], postgres_server: PostgresServer
) -> None:
    url = with_anothers_migrations(
        postgres_server, f"anothers-{revision}-{'-'.join(words).replace('--', '')}", revision
    )
    ended = (prorata_of_its_own if words == BECOMES_ANOTHER else prorata)(*words, **of(url))
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"This database holds the migrations of another application: alembic_version in the schema public is at {revision}, "
        "and none of Prorata's tables is there. Give Prorata a database of its own, or a schema of its own that is alone in "
        "its role's search_path.\n"
    )
    assert at(url) == revision


def test_a_schema_behind_which_another_application_is_found_is_not_enough(postgres_server: PostgresServer) -> None:
    url = with_anothers_migrations(postgres_server, "anothers-behind-our-schema", "0005")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("create schema prorata"))
        connection.execute(text(f'alter database "{engine.url.database}" set search_path = prorata, public'))
    engine.dispose()
    with pytest.raises(migrations.AnothersMigrations, match="in the schema public is at 0005"):
        migrations.upgrade(url)
    with engine.begin() as connection:
        connection.execute(text(f'alter database "{engine.url.database}" set search_path = prorata'))
    engine.dispose()
    migrations.upgrade(url)
    assert migrations.stands_at(url) == head()
    engine.dispose()


@pytest.fixture
def outsider(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a database as a role reaches it that may make tables there, but not read those of the application whose migrations it holds."""
    url = with_anothers_migrations(postgres_server, "anothers-unreadable", "0005")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("create role outsider login password 'outside'"))
        connection.execute(text("grant create, usage on schema public to outsider"))
    yield make_url(url).set(username="outsider", password="outside").render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text("drop owned by outsider"))
        connection.execute(text("drop role outsider"))
    engine.dispose()


def test_another_applications_migrations_are_refused_where_they_may_not_be_read(
    prorata: Command, outsider: str
) -> None:
    for words in (["db", "upgrade"], ["db", "upgrade", "--or-newer"], ["db", "downgrade", "0004", "--yes"], ["worker"]):
        ended = (prorata_of_its_own if words == BECOMES_ANOTHER else prorata)(*words, **of(outsider))
        assert (ended.status, ended.out) == (1, "")
        assert ended.err == (
            "This database holds the migrations of another application: this role may not read alembic_version in the schema "
            "public, and none of Prorata's tables is there. Give Prorata a database of its own, or a schema of its own that is "
            "alone in its role's search_path.\n"
        )


def test_a_table_of_migrations_that_is_readable_and_empty_is_taken(postgres_server: PostgresServer) -> None:
    url = with_anothers_migrations(postgres_server, "anothers-empty", "0005")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("delete from alembic_version"))
    engine.dispose()
    migrations.upgrade(url)
    assert migrations.stands_at(url) == head()
