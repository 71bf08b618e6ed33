"""Can this release do its work with the database? Asked for `/readyz`, and for every scrape of `/metrics`."""

from sqlalchemy import false, update
from sqlalchemy.orm import Session

from models import migrations
from models.messages import Heartbeat

BEHIND = "the database is older than this release: run `prorata db upgrade`"

_WRITE = update(Heartbeat).where(false()).values(name=Heartbeat.name)
"""changes nothing, but a standby refuses it; after that error we drop our connections to the standby"""


def is_behind(session: Session) -> bool:
    """Whether the database lacks some of this release's migrations."""
    return migrations.is_behind(migrations.revision_of(session.connection()))


def require_writes(session: Session) -> None:
    """Raises OperationalError if the server refuses writes."""
    session.execute(_WRITE)
