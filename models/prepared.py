"""Statements that every order needs: SQLAlchemy compiles each one once, and from then on it goes straight to the driver.

SQLAlchemy's work per execution takes as long as the round trip (docs/performance-history.md). Here that work is done once, at first
use: compiling the SQL and choosing the converters for parameters and columns. Otherwise it is like `Session.execute`: statements run in
the session's transaction and savepoints, pending changes are flushed first, and driver errors are raised as SQLAlchemy's. Two things
differ: objects are detached (changes to them are not written, relationships raise), and each read makes a new object.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, cast

from sqlalchemy import Connection, Engine, Executable, inspect
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound, OperationalError
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.types import TypeEngine

from models.base import Base

T = TypeVar("T")
Row = TypeVarTuple("Row")

_Convert = Callable[[Any], Any]

_PSYCOPG: Final = psycopg(dbapi=psycopg.import_dbapi())  # type: ignore[no-untyped-call]
_DRIVERS_ERROR: Final = _PSYCOPG.loaded_dbapi.Error
_NUMERIC: Final = 1700
"""PostgreSQL's OID of that type; SQLAlchemy checks it before it decides that no conversion is needed"""


_ALONE: Final = "models.prepared.alone"
KEPT_CURSOR: Final = "models.prepared.cursor"
"""the key under which a connection's `info` holds its cursor"""


def one_statement_only(session: Session) -> None:
    """Run the only prepared statement of `session` in autocommit mode. Call this before the session's first statement."""
    session.info[_ALONE] = True


@contextmanager
def _by_itself(session: Session) -> Iterator[Connection]:
    """A connection in autocommit mode for the one statement in the block. A transaction of the session's would cost as much as the statement."""
    if session.in_transaction() or not session.info[_ALONE]:
        raise RuntimeError("a second statement where one was to be a transaction by itself")
    session.info[_ALONE] = False
    engine = cast(Engine, session.get_bind())
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not driver.closed:
                driver.autocommit = False


def _sent(connection: Connection, sql: str, parameters: Mapping[str, Any], fetch: Callable[[Any], T]) -> T:
    cursor = _cursor(connection)
    try:
        cursor.execute(sql, parameters)
        return fetch(cursor)
    except _DRIVERS_ERROR as error:
        raise _as_sqlalchemy_says_it(sql, error, connection) from error


def _cursor(connection: Connection) -> Any:
    """The connection's one cursor, kept with it. Safe to share, because results are fetched before the connection is used again."""
    pooled = connection.connection
    kept = pooled.info.get(KEPT_CURSOR)
    if kept is None:
        kept = pooled.info[KEPT_CURSOR] = pooled.cursor()
    return kept


class Prepared(Generic[*Row]):
    """`Prepared[Order, int](statement, Order)`: each result row is an order and a number.

    `entities`: the mapped classes that a row begins with; single columns follow. The parameters of an execution are the statement's
    named `bindparam`s, all of which must be given.
    """

    def __init__(self, statement: Executable, *entities: type[Base]) -> None:
        self._statement = statement
        self._entities = entities

    def all(self, session: Session, params: Mapping[str, Any]) -> list[tuple[*Row]]:
        rows: list[Any] = self._send(session, params, lambda cursor: cursor.fetchall())
        made = self._translated.made
        return [made(row) for row in rows] if made else rows

    def one_or_none(self, session: Session, params: Mapping[str, Any]) -> tuple[*Row] | None:
        rows = self.all(session, params)
        if len(rows) > 1:
            raise MultipleResultsFound(f"{len(rows)} rows where there is to be one at most")
        return rows[0] if rows else None

    def one(self, session: Session, params: Mapping[str, Any]) -> tuple[*Row]:
        row = self.one_or_none(session, params)
        if row is None:
            raise NoResultFound("no row where there is to be one")
        return row

    def scalar(self: "Prepared[T]", session: Session, params: Mapping[str, Any]) -> T | None:
        """The only value of the only row; None if there is no row."""
        row = self.one_or_none(session, params)
        return row[0] if row else None

    def run(self, session: Session, params: Mapping[str, Any]) -> None:
        """Run a statement whose rows are not needed."""
        self._send(session, params, lambda _: None)

    def _send(self, session: Session, params: Mapping[str, Any], fetch: Callable[[Any], T]) -> T:
        this = self._translated
        parameters = {**this.fixed, **params}
        for name, convert in this.binds:
            parameters[name] = convert(parameters[name])
        session.flush()
        if _ALONE not in session.info:
            return _sent(session.connection(), this.sql, parameters, fetch)
        with _by_itself(session) as connection:
            return _sent(connection, this.sql, parameters, fetch)

    @cached_property
    def _translated(self) -> "_Translated":
        """Compiled at first use, when every mapper has been configured."""
        return _Translated(self._statement, self._entities)


class _Translated:
    """A statement in the form that the driver takes.

    fixed: values of parameters that are part of the statement. binds: parameters to convert, each with its converter. made: converts a
    row; None where rows stay as the driver returns them.
    """

    def __init__(self, statement: Executable, entities: Sequence[type[Base]]) -> None:
        compiled = statement.compile(dialect=_PSYCOPG)  # type: ignore[attr-defined]
        if compiled.prefetch or compiled.post_compile_params:
            raise TypeError(f"a default made in Python, or a list after IN, is another statement each time: {compiled}")
        self.sql = str(compiled)
        self.fixed = {name: bound.value for bound, name in compiled.bind_names.items() if not bound.required}
        binds = {name: _bind(bound.type) for bound, name in compiled.bind_names.items()}
        self.binds = [(name, convert) for name, convert in binds.items() if convert]
        self._entities = [_Entity(inspect(entity)) for entity in entities]
        self._width = sum(entity.width for entity in self._entities)
        self._columns = [_result(column.type) for column in compiled._result_columns[self._width :]]
        self.made = self._made if self._entities or any(self._columns) else None

    def _made(self, row: Sequence[Any]) -> tuple[Any, ...]:
        made, at = [], 0
        for entity in self._entities:
            made.append(entity.made(row[at : at + entity.width]))
            at += entity.width
        for value, convert in zip(row[at:], self._columns, strict=True):
            made.append(convert(value) if convert else value)
        return tuple(made)


class _Entity:
    """Builds an entity's objects as if they had been loaded by a query and then expunged from the session."""

    def __init__(self, mapper: Mapper[Any]) -> None:
        self._mapper, self._manager = mapper, mapper.class_manager
        self._names = [mapper.get_property_by_column(column).key for column in mapper.columns]
        converts = [(name, _result(column.type)) for name, column in zip(self._names, mapper.columns, strict=True)]
        self._converts = [(name, convert) for name, convert in converts if convert]
        self._key = [self._names.index(mapper.get_property_by_column(column).key) for column in mapper.primary_key]
        self.width = len(self._names)

    def made(self, values: Sequence[Any]) -> Any:
        """None where an outer join found nothing."""
        if values[self._key[0]] is None:
            return None
        loaded = self._manager.new_instance()
        state = loaded.__dict__
        state.update(zip(self._names, values, strict=True))
        for name, convert in self._converts:
            state[name] = convert(state[name])
        inspect(loaded).key = self._mapper.identity_key_from_primary_key(tuple(values[at] for at in self._key))
        return loaded


def _bind(kind: TypeEngine[Any]) -> _Convert | None:
    return kind.dialect_impl(_PSYCOPG).bind_processor(_PSYCOPG)


def _result(kind: TypeEngine[Any]) -> _Convert | None:
    return kind.dialect_impl(_PSYCOPG).result_processor(_PSYCOPG, _NUMERIC)


def is_outdated(error: Any) -> bool:
    """Whether the connection is alive but must be replaced: its server has become a standby (refuses writes), or a table has changed
    since the connection prepared its statements.
    """
    state = getattr(error, "sqlstate", None)
    return state == "25006" or (state == "0A000" and error.diag.source_function == "RevalidateCachedQuery")


def withhold_values(error: Any) -> None:
    """Shorten a driver's error for the log, to PostgreSQL's first sentence and the SQLSTATE.

    The rest repeats the row that a constraint refused, with its names and addresses. `diag` still has all of it.
    """
    sentence = error.diag.message_primary
    if sentence is not None:  # not an error of the driver's own, such as no connection
        error.args = (f"{sentence} (SQLSTATE {error.sqlstate})",)


def _as_sqlalchemy_says_it(sql: str, error: Any, connection: Connection) -> DBAPIError:
    """Translate a driver's error. SQLAlchemy is left to detect a lost connection itself; it then drops the whole pool."""
    withhold_values(error)
    if is_outdated(error):
        # As SQLAlchemy does for a lost connection: the others in the pool are no better.
        connection.engine.pool._invalidate(connection.connection, error, _checkin=False)
        connection.invalidate(error)
        return OperationalError(sql, None, error, hide_parameters=True, connection_invalidated=True)
    if _PSYCOPG.is_disconnect(error, connection.connection.dbapi_connection, None):  # type: ignore[no-untyped-call]
        try:
            connection.exec_driver_sql("SELECT 1")
        except DBAPIError as lost:
            return lost
    wrapped = DBAPIError.instance(sql, None, error, _DRIVERS_ERROR, hide_parameters=True, dialect=_PSYCOPG)
    return cast(DBAPIError, wrapped)
