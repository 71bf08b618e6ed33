"""Reading all that an answer or a report needs as it was at one moment, while orders are processed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.wiring import begin

LONGEST_SILENCE = timedelta(minutes=10)
"""between two queries: while our process works on what it read, or whoever reads its output makes it wait, its transaction sends nothing to PostgreSQL"""


@contextmanager
def begin_snapshot() -> Iterator[Session]:
    """`begin()`, for an answer that takes several statements: nothing that is committed between two of them is in it by half."""
    with begin() as session:
        _read_one_moment(session)
        yield session


def of_one_moment(session: Session) -> Session:
    """Make the session read one snapshot, taken when reading begins. Call before its first statement."""
    _read_one_moment(session)
    _allow_silence(session)
    return session


def _read_one_moment(session: Session) -> None:
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _allow_silence(session: Session) -> None:
    """Let the transaction stay idle for longer than others, which hold locks that somebody waits for.

    One that only reads delays no more than VACUUM, hence a limit all the same.
    """
    session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_SILENCE.total_seconds():.0f}s'"))
