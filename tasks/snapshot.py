"""Reading all that a report needs as it was at one moment, while orders are processed."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

LONGEST_SILENCE = timedelta(minutes=10)
"""between two queries: while our process works on what it read, or whoever reads its output makes it wait, its transaction sends nothing to PostgreSQL"""


def of_one_moment(session: Session) -> Session:
    """Make the session read one snapshot, taken when reading begins. Call before its first statement."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    _allow_silence(session)
    return session


def _allow_silence(session: Session) -> None:
    """Let the transaction stay idle for longer than others, which hold locks that somebody waits for.

    One that only reads delays no more than VACUUM, hence a limit all the same.
    """
    session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_SILENCE.total_seconds():.0f}s'"))
