"""What is recorded here, and was not listed by the provider."""

from collections.abc import Container
from typing import Any, Final

from sqlalchemy import Row, Select
from sqlalchemy.orm import Session

BATCH: Final = 1000
"""rows read at once: a range of years needs little memory then, and PostgreSQL ends no transaction for standing still"""

Recorded = Row[*tuple[Any, ...]]


def unseen(session: Session, recorded: Select[*tuple[Any, ...]], seen: Container[str | None]) -> list[Recorded]:
    """The rows whose `ref` was not `seen`."""
    rows = session.execute(recorded.execution_options(yield_per=BATCH))
    return [row for row in rows if row.ref not in seen]
