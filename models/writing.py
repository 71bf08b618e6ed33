"""Rows written at once, by an INSERT that is built once for their tables and the columns that are given.

The session's unit of work, which would find out by itself what to write when and in which order, takes as long again as the
statement. Where that is plain to see, this says it; rows that belong together are one statement.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Update, bindparam, insert
from sqlalchemy.orm import Session

from models.base import Base
from models.prepared import Prepared

_Kind = tuple[type[Base], tuple[str, ...]]
"""a table and the columns that are given"""

_INSERTS: dict[tuple[Update | None, tuple[_Kind, ...]], Prepared[()]] = {}
_MOST = 4
"""rows in one statement: a long cart needs no statement of its own length"""


def write(session: Session, *rows: Base) -> None:
    """Insert `rows` with the values they were made with. They do not join the session: what is set on them later stays unwritten."""
    for first in range(0, len(rows), _MOST):
        _write(session, rows[first : first + _MOST], None, {})


def write_and(session: Session, statement: Update, parameters: Mapping[str, Any], *rows: Base) -> None:
    """Insert a few `rows`, and in the same exchange run an UPDATE of other rows that is built once, at its module's level."""
    _write(session, rows, statement, parameters)


def _write(session: Session, rows: Sequence[Base], also: Update | None, parameters: Mapping[str, Any]) -> None:
    given = [_given(row) for row in rows]
    what = also, tuple((type(row), tuple(values)) for row, values in zip(rows, given, strict=True))
    if what not in _INSERTS:
        _INSERTS[what] = _built(*what)
    asked = {f"{name}_{at}": value for at, values in enumerate(given) for name, value in values.items()}
    _INSERTS[what].run(session, {**asked, **parameters})


def _given(row: Base) -> dict[str, object]:
    return {name: value for name, value in row.__dict__.items() if name != "_sa_instance_state"}


def _built(also: Update | None, kinds: Sequence[_Kind]) -> Prepared[()]:
    inserts = [
        insert(kind.metadata.tables[kind.__tablename__])
        .values({name: bindparam(f"{name}_{at}") for name in names})
        .inline()
        for at, (kind, names) in enumerate(kinds)
    ]
    *others, last = inserts
    if also is not None:
        last = last.add_cte(also.cte("also"))
    return Prepared(last.add_cte(*(each.cte(f"row_{at}") for at, each in enumerate(others))))
