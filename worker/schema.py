"""Is the database what this release needs? Asked as a process starts: on an older one every order would fail."""

import structlog
from sqlalchemy.exc import DBAPIError

from models import migrations
from models.errors import Explained
from worker import server_urls
from worker.logs import set_up_logging

log = structlog.get_logger(__name__)


class SchemaOutdated(Explained):
    """The database lacks what this release's migrations make; the message says what to run."""


def check(database_url: str) -> None:
    """Raises SchemaOutdated. A newer release's database is only logged: while that is rolled out, this one works on with it."""
    try:
        with migrations.engine(database_url).connect() as connection:
            revision = migrations.revision_of(connection)
    except DBAPIError:
        return  # away, or it does not let us look: a process meets that by itself, and waits, at its start as later
    if migrations.is_behind(revision):
        raise SchemaOutdated(
            f"The database at {server_urls.name(database_url)} is at {revision or 'no revision yet'}, older than this release, "
            f"which needs {migrations.head()}: run `prorata db upgrade` first."
        )
    if migrations.is_beyond(revision):
        set_up_logging()
        log.warning("the database is of a newer release", revision=revision, known=migrations.head())
