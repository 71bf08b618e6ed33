"""Waits until concurrent work has come to the point where it blocks."""

from concurrent.futures import Future
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session


def until_it_waits_for(session: Session, work: Future[Any]) -> None:
    """Return once `work` waits for a lock that `session` holds, or is done."""
    waits = "select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"
    while not work.done() and not session.scalar(text(waits)):
        pass
