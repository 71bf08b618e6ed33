"""What a piece of code says to PostgreSQL, written down with its transactions, to be said again about other rows."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID, uuid4

from psycopg import Cursor
from psycopg.types.json import Json, Jsonb
from sqlalchemy import Engine, event

Parameters = Mapping[str, Any]
Transaction = list[tuple[str, Parameters]]


@dataclass(frozen=True, slots=True)
class Recording:
    ids: list[str]
    """of the order that was recorded: its own, its account's, its contact's, its quote's, its card's"""
    transactions: list[Transaction]


@contextmanager
def record(engine: Engine) -> Iterator[list[Transaction]]:
    """Fills the list with a transaction after the other; what is rolled back is left out."""
    transactions: list[Transaction] = []
    current: Transaction = []

    def say(statement: Any, parameters: Any) -> None:
        current.append((str(statement), {name: _portable(value) for name, value in (parameters or {}).items()}))

    class Overheard(Cursor[Any]):
        """Here everything comes by: prepared statements do not go through SQLAlchemy (`models.prepared`)."""

        def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            say(query, params)
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            for each in params_seq:
                say(query, each)
            super().executemany(query, params_seq, **options)

    def taken(connection: Any, *_: Any) -> None:
        connection.cursor_factory = Overheard

    def given_back(connection: Any, *_: Any) -> None:
        if connection is not None:
            connection.cursor_factory = Cursor

    def begun(_: Any) -> None:
        current.clear()

    def committed(_: Any) -> None:
        if current:
            transactions.append(list(current))
        current.clear()

    listeners: dict[str, Callable[..., Any]] = {
        "checkout": taken,
        "checkin": given_back,
        "begin": begun,
        "commit": committed,
        "rollback": begun,
    }
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield transactions
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


@dataclass(slots=True)
class Retold:
    """The recorded values, as they are for another order: ids made on the way are new ones, keys made of ids follow."""

    recording: Recording
    ids: list[str]
    _made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._made = dict(zip(self.recording.ids, self.ids, strict=True))

    def parameters(self, recorded: Parameters) -> dict[str, Any]:
        return {
            name: self._number if name.startswith("sequence") else self._value(value)
            for name, value in recorded.items()
        }

    @property
    def _number(self) -> int:
        """In place of an invoice's, which no other may have."""
        return int(self.ids[0][-7:], 16)

    def _value(self, value: Any) -> Any:
        match value:
            case UUID():
                return UUID(self._made.setdefault(str(value), str(uuid4())))
            case _FromJson():
                return Jsonb(value.content)
            case str() if _GIVEN_ONCE.fullmatch(value):
                return f"{value}-{self.ids[0][-12:]}"
            case str():
                for before, after in zip(self.recording.ids, self.ids, strict=True):
                    value = value.replace(before, after)
                return value
            case list():
                return [self._value(each) for each in value]
        return value


_GIVEN_ONCE = re.compile(r"(pi|ch)_\w+|[A-Z]+-\d{4}-\d+")
"""a charge's reference at the provider, an invoice's number"""


@dataclass(frozen=True, slots=True)
class _FromJson:
    content: Any


def _portable(value: Any) -> Any:
    return _FromJson(value.obj) if isinstance(value, Json | Jsonb) else value
