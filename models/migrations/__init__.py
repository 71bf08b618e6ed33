"""Migrations of the database (Alembic): `upgrade` brings an older database up to date, `downgrade` takes it back."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, pool, text

from models.errors import Explained, Unknown

FOLDER = Path(__file__).parent
TIMEOUTS = text("select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '0', true)")
"""of a transaction: worker/upgrading.py tries again after the former; the latter, that a role may have, is not meant for migrations"""

_CONNECTING = {"client_encoding": "utf8", "prepare_threshold": None, "connect_timeout": 5}
"""UTF-8 also where the server has another encoding, which SQLAlchemy could not even ask for its version; no prepared statements: behind a pooler, another client might run them (see worker/pooler.py). The connection times out after these seconds, because processes that start also connect."""


OLDEST_SERVER = 15
"""PostgreSQL's major version; older ones lack `NULLS NOT DISTINCT`, which our tables use"""


class ServerTooOld(Explained):
    """This PostgreSQL cannot hold our tables."""


class NotUtf8(Explained):
    """This database cannot hold every letter of a name, nor the dots before a card's last digits."""


class RevisionRefused(Explained):
    """The database cannot be brought to a revision; the message says why, and what to do instead."""


class UnknownRevision(RevisionRefused, Unknown):
    """This release has no such revision."""


class AlreadyBeyond(RevisionRefused):
    """The database is past that revision, or of a newer release."""

    def __init__(self, message: str, *, standing: str) -> None:
        super().__init__(message)
        self.standing = standing


class AnothersMigrations(RevisionRefused):
    """The database, or the schema that the search path finds first, holds the migrations of another application."""


def config(database_url: str) -> Config:
    """Alembic's configuration. Built here rather than read from a file, because the database's address comes from the settings."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return made


def engine(database_url: str) -> Engine:
    return create_engine(
        database_url, poolclass=pool.NullPool, connect_args=_CONNECTING, isolation_level="READ COMMITTED"
    )


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database at `database_url` to `revision`; doing it again changes nothing.

    Each migration has a transaction of its own: what one has done is not undone, nor done again, because a later one waits for a table.

    Raises OperationalError if others lock a table for longer than `TIMEOUTS` says, RevisionRefused if there is no such revision,
    AlreadyBeyond, and AnothersMigrations.
    """
    goal = _history()[-1] if revision == "head" else revision
    standing = stands_at(database_url)
    if standing is not None and _place(goal) < _place(standing):
        raise AlreadyBeyond(
            f"The database is at {standing}, beyond {goal}: an upgrade does not go back. `prorata db downgrade {goal}` does.",
            standing=standing,
        )
    for pending in _history()[_place(standing) : _place(goal)]:
        command.upgrade(config(database_url), pending)


def downgrade(database_url: str, revision: str) -> None:
    """Take the database at `database_url` back to `revision`, all or nothing. Data that only later revisions store is lost.

    Raises OperationalError as `upgrade` does, and RevisionRefused unless `revision` is earlier than the database's.
    """
    check_behind(revision, stands_at(database_url))
    command.downgrade(config(database_url), revision)


def check_behind(revision: str, standing: str | None) -> None:
    """Raises RevisionRefused unless `revision` is earlier than `standing`."""
    if _place(revision) >= _place(standing):
        raise RevisionRefused(
            f"{revision} is not behind the database, which is at {standing or 'no revision yet'}: nothing to take back."
        )


def stands_at(database_url: str) -> str | None:
    """The database's revision; None if it has no tables yet. Raises AlreadyBeyond if a newer release made it, AnothersMigrations, and what `check_server` does."""
    with engine(database_url).begin() as connection:
        check_server(connection)
        connection.execute(TIMEOUTS)
        check_owner(connection)
        standing = revision_of(connection)
    known = _history()
    if standing is not None and is_beyond(standing):
        raise AlreadyBeyond(
            f"The database is at {standing}, of a newer release: this one knows no revision after {known[-1]}. "
            f"Use the newer release, or take the database back with the newer release's `prorata db downgrade {known[-1]}`.",
            standing=standing,
        )
    return standing


def check_server(connection: Connection) -> None:
    """Raises ServerTooOld and NotUtf8."""
    major = int((connection.dialect.server_version_info or (0,))[0])
    if major < OLDEST_SERVER:
        raise ServerTooOld(f"This is PostgreSQL {major}; Prorata needs {OLDEST_SERVER} or later.")
    encoding = connection.scalar(text("show server_encoding"))
    if encoding != "UTF8":
        raise NotUtf8(
            f"This database's encoding is {encoding}; Prorata needs UTF8. Create another database "
            "(createdb --template=template0 --encoding=UTF8 --locale=C NAME), and name it in PRORATA_DATABASE_URL."
        )


_ANOTHERS = text("""
    select nspname, has_table_privilege(version.oid, 'select')
    from pg_class version join pg_namespace on pg_namespace.oid = relnamespace
    where version.oid = to_regclass('alembic_version') and not exists (
        select from pg_class ours where ours.relnamespace = version.relnamespace and ours.relname = 'charge_attempts'
    )
""")
"""the schema of an `alembic_version` beside which a table of ours, one since 0001, is missing; and whether this role may read it"""


def check_owner(connection: Connection) -> None:
    """Raises AnothersMigrations: their revisions say nothing about our tables, not even where they have the same numbers."""
    found = connection.execute(_ANOTHERS).one_or_none()
    if found is None:
        return
    schema, readable = found
    if not readable:
        raise AnothersMigrations(_another(f"this role may not read alembic_version in the schema {schema}"))
    if (revision := revision_of(connection)) is not None:
        raise AnothersMigrations(_another(f"alembic_version in the schema {schema} is at {revision}"))


def _another(seen: str) -> str:
    return (
        f"This database holds the migrations of another application: {seen}, and none of Prorata's tables is there. "
        "Give Prorata a database of its own, or a schema of its own that is alone in its role's search_path."
    )


def revision_of(connection: Connection) -> str | None:
    """Like `stands_at`, but accepts newer releases' revisions. Does without Alembic, which logs two lines per call."""
    if connection.scalar(text("select to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("select version_num from alembic_version"))
    return revision


def is_behind(revision: str | None) -> bool:
    """Whether a database at `revision` lacks some of this release's migrations."""
    return revision is None or revision in _history()[:-1]


def is_beyond(revision: str | None) -> bool:
    """Whether `revision` belongs to a newer release, which this one does not know."""
    return revision is not None and revision not in _history()


def head() -> str:
    """The revision that this release needs."""
    return _history()[-1]


def _place(revision: str | None) -> int:
    """How many migrations it takes to reach `revision` from an empty database."""
    known = _history()
    if revision is not None and revision not in known:
        raise UnknownRevision(f"There is no revision {revision}; there are {known[0]} to {known[-1]}.")
    return 0 if revision is None else known.index(revision) + 1


@cache
def _history() -> list[str]:
    """Every revision of this release, the oldest first."""
    return [each.revision for each in ScriptDirectory.from_config(config("")).walk_revisions()][::-1]
