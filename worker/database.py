"""The database engine of this process, and transactions on it."""

import os
from select import POLLIN, poll
from time import monotonic
from types import TracebackType
from typing import Any

from psycopg import OperationalError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter, DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError, PendingRollbackError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

import models.tables  # noqa: F401 - every table is known before the first flush, whatever else this process imports
from models.prepared import DRIVERS_ERROR, as_the_session_says_it
from worker.settings import Settings


def engine(settings: Settings) -> Engine:
    """Connections are pooled, checked when they come from the pool, and never shared with a forked child."""
    made = create_engine(
        settings.database_url.get_secret_value(),
        pool_size=2 * settings.database_pool_size,
        max_overflow=0,  # one that overflows is closed after use, and opened again for the next: 5 ms each time
        pool_use_lifo=True,
        pool_recycle=1800,
        hide_parameters=True,  # an SQL error in a log must not carry addresses
        connect_args={"prepare_threshold": 1, "connect_timeout": 5, "application_name": "prorata", **_KEEPALIVE},
    )
    check_before_use(made)
    os.register_at_fork(after_in_child=lambda: made.dispose(close=False))
    return made


_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""a half-open connection is noticed in half a minute"""

UNASKED = 2.0
"""seconds a connection may rest before PostgreSQL is asked whether it is still there"""


def check_before_use(engine: Engine) -> None:
    """Replace a connection that broke in the pool, and with it all others there, before anybody works on it.

    Asking PostgreSQL each time, as `pool_pre_ping` does, is a fifth of a short transaction. A server that stopped has closed its
    sockets, which the kernel says for nothing; only where it says something, or a network may have failed meanwhile, is asked.
    """

    @event.listens_for(engine, "checkin")
    def rests(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info["rests_since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def check(connection: DBAPIConnection, entry: ConnectionPoolEntry, _: object) -> None:
        rests_since = entry.info.get("rests_since")
        if rests_since is None:
            return
        if _has_something_to_say(connection) or monotonic() - rests_since > UNASKED:
            try:
                engine.dialect.do_ping(connection)
            except OperationalError as gone:
                raise InvalidatePoolError from gone


def _has_something_to_say(connection: DBAPIConnection) -> bool:
    """Unasked: that it is closed, mostly."""
    if connection.closed:
        return True
    watch = poll()
    watch.register(connection.fileno(), POLLIN)
    return bool(watch.poll(0))


class Transactions:
    """`with transactions() as session:` one transaction; its objects stay readable after it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self) -> "Transaction":
        return Transaction(_Session(self._engine))


class _Session(Session):
    """A session that gives its connection away without keeping a transaction of its own on it, until a query asks for one.

    Most transactions of an order's way are prepared statements only; what SQLAlchemy keeps of a transaction takes as long as one.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(expire_on_commit=False)
        self._engine = engine
        self._connection: Connection | None = None

    def get_bind(self, *_: object, **__: object) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        if self._connection.invalidated:
            raise PendingRollbackError("the connection was lost, and with it what this transaction had done")
        return self._connection

    def connection(
        self, bind_arguments: Any = None, execution_options: CoreExecuteOptionsParameter | None = None
    ) -> Connection:
        if self.in_transaction():
            return super().connection(bind_arguments, execution_options)
        return self.get_bind()

    def commit(self) -> None:
        if self.in_transaction():
            super().commit()
        elif self._connection is not None:
            connection = self.get_bind()
            try:
                connection.connection.commit()
            except DRIVERS_ERROR as error:
                raise as_the_session_says_it("COMMIT", error, connection) from error

    def close(self) -> None:
        """What is not committed is rolled back."""
        try:
            super().close()
        finally:
            if self._connection is not None:
                self._connection.close()


class Transaction:
    """A session's: committed at the end, rolled back on an exception."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Session:
        return self._session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._session.commit()
        finally:
            self._session.close()
