"""Can this release do its work with the database? Asked for `/readyz`, and for every scrape of `/metrics`."""

from sqlalchemy import false, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models import migrations
from models.messages import Heartbeat
from tasks.errors import database_said
from worker import certificates

BEHIND = "the database is older than this release: run `prorata db upgrade`"

READ_ONLY = (
    "this PostgreSQL refuses writes. If it is a standby, name its primary in PRORATA_DATABASE_URL, or several hosts with target_session_attrs=read-write; "
    "if it is the primary, default_transaction_read_only is on, as some providers set it when the disk is full"
)
REFUSED = "PostgreSQL refuses our login: the user or the password in PRORATA_DATABASE_URL is wrong"

_WRITE = update(Heartbeat).where(false()).values(name=Heartbeat.name)
"""changes nothing, but a standby refuses it; after that error we drop our connections to the standby"""


def told(error: SQLAlchemyError) -> dict[str, str]:
    """What PostgreSQL said, and what to do about it where that is known."""
    said = database_said(error)
    if getattr(getattr(error, "orig", None), "sqlstate", None) == "25006":
        advice: str | None = READ_ONLY
    elif "password authentication failed" in said:  # while connecting the driver tells no SQLSTATE
        advice = REFUSED
    else:
        advice = certificates.what_to_do(said, "PRORATA_DATABASE_URL")
    return {"said": said} | ({"advice": advice} if advice else {})


def is_behind(session: Session) -> bool:
    """Whether the database lacks some of this release's migrations."""
    return migrations.is_behind(migrations.revision_of(session.connection()))


def require_writes(session: Session) -> None:
    """Raises OperationalError if the server refuses writes."""
    session.execute(_WRITE)
