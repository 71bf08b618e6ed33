"""A row written at once, by an INSERT that is built once for its table.

The session's unit of work, which would find out by itself what to write when and in which order, takes as long again as the
statement. Where that is plain to see, this says it.
"""

from sqlalchemy import Insert, insert, inspect
from sqlalchemy.orm import Session

from models.base import Base

_INSERTS: dict[type[Base], tuple[Insert, tuple[str, ...]]] = {}


def write(session: Session, row: Base) -> None:
    """Insert `row` with the values it was made with. It does not join the session: what is set on it later stays unwritten."""
    kind = type(row)
    if kind not in _INSERTS:
        names = tuple(attribute.key for attribute in inspect(kind).column_attrs)
        _INSERTS[kind] = (insert(kind.metadata.tables[kind.__tablename__]).inline(), names)
    statement, names = _INSERTS[kind]
    session.execute(statement, {name: row.__dict__[name] for name in names if name in row.__dict__})
