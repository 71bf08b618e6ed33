"""Records what an order's steps send to PostgreSQL and ask of the world outside, in order, to replay it for other orders."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from unittest.mock import patch
from uuid import UUID, uuid4

from psycopg import Cursor
from sqlalchemy import Engine, event

from models.prepared import KEPT_CURSOR
from tasks import wiring
from tasks.billing import attachments
from tasks.invoices.as_pdf import as_pdf
from tasks.letters.compose import compose
from tasks.mail import writing
from tasks.ports import ChargeRequest, Letter


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    statement: bytes
    parameters: Mapping[str, Any]


Transaction = list[Said]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of something outside the database: a charge, a letter sent, a letter or a document written."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    ids: list[str]
    """of the order that was recorded: its own, its account's, its contact's, its quote's, its card's"""
    happened: list[Transaction | Call]
    varying: dict[Said, list[str]] = field(default_factory=dict)
    """by statement, the parameters that differ for another order"""


@contextmanager
def record(engine: Engine) -> Iterator[list[Transaction | Call]]:
    """Fills the list with whatever happens in this process, in order; transactions that are rolled back are left out."""
    happened: list[Transaction | Call] = []
    with _statements(engine, happened), _calls(happened):
        yield happened


@contextmanager
def _calls(happened: list[Transaction | Call]) -> Iterator[None]:
    def overheard(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            happened.append(Call(function, arguments, named))
            return function(*arguments, **named)

        return called

    class Overheard:
        def __init__(self, adapter: object) -> None:
            self._adapter = adapter

        def __getattr__(self, name: str) -> Callable[..., Any]:
            return overheard(getattr(self._adapter, name))

    plugged = wiring.wired()
    here: Any = {"payments": Overheard(plugged.payments), "mailer": Overheard(plugged.mailer)}
    wiring.plug_in(replace(plugged, **here))
    try:
        with (
            patch.object(writing, "compose", overheard(compose)),
            patch.object(attachments, "as_pdf", overheard(as_pdf)),
        ):
            yield
    finally:
        wiring.plug_in(plugged)


@contextmanager
def _statements(engine: Engine, happened: list[Transaction | Call]) -> Iterator[None]:
    current: Transaction = []

    def say(statement: Any, parameters: Any) -> None:
        current.append(Said(str(statement).encode(), dict(parameters or {})))

    class Overheard(Cursor[Any]):
        """Sees every statement: prepared ones do not go through SQLAlchemy (`models.prepared`)."""

        def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            say(query, params)
            return super().execute(query, params, **options)

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            for each in params_seq:
                say(query, each)
            super().executemany(query, params_seq, **options)

    def taken(connection: Any, entry: Any, _: Any) -> None:
        connection.cursor_factory = Overheard
        entry.info.pop(KEPT_CURSOR, None)

    def given_back(connection: Any, entry: Any) -> None:
        entry.info.pop(KEPT_CURSOR, None)
        if connection is not None:
            connection.cursor_factory = Cursor
        committed(connection)  # statements outside a session's transaction count as one of their own

    def begun(_: Any) -> None:
        current.clear()

    def committed(_: Any) -> None:
        if current:
            happened.append(list(current))
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
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


class Retold:
    """The recording, adapted to another order: ids made on the way are new ones, and keys made of ids change with them."""

    def __init__(self, recording: Recording, ids: list[str]) -> None:
        self._recording, self._ids = recording, ids
        self._made = dict(zip(recording.ids, ids, strict=True))

    def again(self, call: Call) -> None:
        call.function(*(self._asked(each) for each in call.arguments), **call.named)

    def parameters(self, said: Said) -> dict[str, Any]:
        return {**said.parameters, **{name: self._new(name, said.parameters[name]) for name in self._varying(said)}}

    def _varying(self, said: Said) -> list[str]:
        """Worked out once, with the first order: comparing each value every time would cost as much as sending it."""
        known = self._recording.varying
        if said not in known:
            known[said] = [name for name, value in said.parameters.items() if self._new(name, value) != value]
        return known[said]

    def _new(self, name: str, value: Any) -> Any:
        return self._number if name.startswith("sequence") else self._value(value)

    def _asked(self, value: Any) -> Any:
        match value:
            case ChargeRequest():
                ids = {"order_id": self._value(value.order_id), "key": self._value(value.key)}
                return replace(value, **ids, made_at=time.time())  # a plan is sent only for some seconds
            case Letter():
                return replace(value, message_id=self._value(value.message_id))
        return value

    @property
    def _number(self) -> int:
        """In place of an invoice's number, which must be unique."""
        return int(self._ids[0][-7:], 16)

    def _value(self, value: Any) -> Any:
        match value:
            case UUID():
                return UUID(self._made.setdefault(str(value), str(uuid4())))
            case str() if _GIVEN_ONCE.fullmatch(value):
                return f"{value}-{self._ids[0][-12:]}"
            case str():
                for before, after in zip(self._recording.ids, self._ids, strict=True):
                    value = value.replace(before, after)
                return value
            case list():
                return [self._value(each) for each in value]
        return value


_GIVEN_ONCE = re.compile(r"(pi|ch)_\w+|[A-Z]+-\d{4}-\d+")
"""values that must be unique: a charge's reference at the provider, an invoice's number"""
