"""Is the database what this release needs? Asked as a process starts: on an older one every order would fail."""

import structlog
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models import migrations
from tasks.errors import Misconfigured
from worker import server_urls

log = structlog.get_logger(__name__)

_READS_ORDERS = text("SELECT FROM orders LIMIT 0")
_MASTERS_ITS_TABLES = text("SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('invoices')")
"""whether the role owns them, may become the role that does, or is a superuser, which may become any"""


class SchemaOutdated(Misconfigured):
    """The database lacks what this release's migrations make; the message says what to run."""


def check(database_url: str, *, in_production: bool) -> None:
    """Raises SchemaOutdated, ProgrammingError where the role may not read the tables, and what migrations.check_server and check_owner do. A newer release's database is only logged: while that is rolled out, this one works on with it.

    In production it is also logged if the role may do more than it should: see "Two roles in PostgreSQL" in docs/deploying.md.
    """
    try:
        with migrations.engine(database_url).connect() as connection:
            migrations.check_server(connection)
            migrations.check_owner(connection)
            revision = migrations.revision_of(connection)
            if not migrations.is_behind(revision):
                connection.execute(_READS_ORDERS)
            is_master = in_production and connection.scalar(_MASTERS_ITS_TABLES)
    except DBAPIError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise
        return  # away, or it does not let us in: a process meets that by itself, and waits, at its start as later
    if migrations.is_behind(revision):
        raise SchemaOutdated(
            f"The database at {server_urls.name(database_url)} is at {revision or 'no revision yet'}, older than this release, "
            f"which needs {migrations.head()}: run `prorata db upgrade` first."
        )
    if is_master:
        log.warning("the database's role can switch off what guards invoices and ledger")
    if migrations.is_beyond(revision):
        log.warning("the database is of a newer release", revision=revision, known=migrations.head())
