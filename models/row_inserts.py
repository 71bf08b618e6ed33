"""Inserts rows that belong together in one statement, which is built once per combination of tables and given columns.

The session's unit of work would determine what to write, and in which order, but that takes as long again as the statement. This
module is for callers that know it already.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Update, bindparam, insert
from sqlalchemy.orm import Session

from models.base import Base
from models.prepared import Prepared

_Kind = tuple[type[Base], tuple[str, ...]]
"""a table and the columns that are given"""

_INSERTS: dict[tuple[Update | None, tuple[_Kind, ...]], Prepared[()]] = {}
MOST_ROWS: Final = 4
"""rows per statement, so that carts of different lengths do not each need a statement of their own"""


def insert_rows(session: Session, *rows: Base) -> None:
    """Insert `rows` with the values set on them. They are not added to the session: later changes to them are not written."""
    for first in range(0, len(rows), MOST_ROWS):
        _insert(session, rows[first : first + MOST_ROWS], None, {})


def insert_rows_and_update(session: Session, statement: Update, parameters: Mapping[str, Any], *rows: Base) -> None:
    """Insert a few `rows` and run an UPDATE of other rows in one round trip. `statement`: a module-level constant, because it is a cache key."""
    _insert(session, rows, statement, parameters)


def _insert(session: Session, rows: Sequence[Base], also: Update | None, parameters: Mapping[str, Any]) -> None:
    values = [given_columns(row) for row in rows]
    what = also, tuple((type(row), tuple(its)) for row, its in zip(rows, values, strict=True))
    if what not in _INSERTS:
        _INSERTS[what] = _built(*what)
    _INSERTS[what].run(session, {**numbered_parameters(values), **parameters})


def given_columns(row: Base) -> dict[str, object]:
    """The columns that are set on a row, and their values."""
    return {name: value for name, value in row.__dict__.items() if name != "_sa_instance_state"}


def numbered_parameters(values: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The parameters of a statement that inserts several rows: `name_0` is the first row's `name`."""
    return {f"{name}_{at}": value for at, its in enumerate(values) for name, value in its.items()}


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
