"""A row written at once, by an INSERT that is built once for its table and the columns that are given.

The session's unit of work, which would find out by itself what to write when and in which order, takes as long again as the
statement. Where that is plain to see, this says it.
"""

from sqlalchemy import bindparam, insert
from sqlalchemy.orm import Session

from models.base import Base
from models.prepared import Prepared

_INSERTS: dict[tuple[type[Base], tuple[str, ...]], Prepared[()]] = {}


def write(session: Session, row: Base) -> None:
    """Insert `row` with the values it was made with. It does not join the session: what is set on it later stays unwritten."""
    given = {name: value for name, value in row.__dict__.items() if name != "_sa_instance_state"}
    kind = (type(row), tuple(given))
    if kind not in _INSERTS:
        table = type(row).metadata.tables[row.__tablename__]
        _INSERTS[kind] = Prepared(insert(table).values({name: bindparam(name) for name in given}).inline())
    _INSERTS[kind].run(session, given)
