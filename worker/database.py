"""The database engine of this process, and transactions on it."""

import os
from select import POLLIN, poll
from time import monotonic
from types import TracebackType

from psycopg import Error, OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, TransactionTimeout
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import OperationalError as DatabaseAway
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

import models.tables  # noqa: F401 - every table is known before the first flush, whatever else this process imports
from models.prepared import is_outdated, withhold_values
from worker.pooler import prepare_nothing_behind
from worker.settings import Settings


def engine(settings: Settings) -> Engine:
    """Connections are pooled, checked when they come from the pool, and never shared with a forked child."""
    made = create_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        max_overflow=0,  # an overflow connection is closed after use, and opened anew for the next: 5 ms each time
        pool_use_lifo=True,
        pool_recycle=1800,
        hide_parameters=True,  # an SQL error in a log must not carry addresses; see also `keep_values_out_of_errors`
        connect_args={
            "client_encoding": "utf8",
            "prepare_threshold": 1,
            "connect_timeout": 5,
            "application_name": "prorata",
            **_KEEPALIVE,
        },
    )
    prepare_nothing_behind(made)
    keep_values_out_of_errors(made)
    set_up_sessions(made)
    check_before_use(made)
    os.register_at_fork(after_in_child=lambda: made.dispose(close=False))
    return made


def keep_values_out_of_errors(engine: Engine) -> None:
    """See `withhold_values`. Prepared statements, whose errors pass no listener, see to it themselves."""

    @event.listens_for(engine, "handle_error")
    def shorten(context: ExceptionContext) -> None:
        error = context.original_exception
        wrapper = context.sqlalchemy_exception
        if isinstance(error, Error):
            whole = str(error)
            withhold_values(error)
            if wrapper is not None:
                wrapper.args = tuple(str(part).replace(whole, str(error)) for part in wrapper.args)


BEHIND_A_LOCK = 3.0
"""seconds a statement waits for another transaction's lock; less than a lease, and a step lets others have its slot before it is retried"""
IDLE_WITH_LOCKS = 8.0
"""seconds a transaction may idle before PostgreSQL ends it: a worker that is frozen inside one must not stop all others"""


def set_up_sessions(
    engine: Engine, *, behind_a_lock: float = BEHIND_A_LOCK, idle_with_locks: float = IDLE_WITH_LOCKS
) -> None:
    """Isolation and dates as our statements need them, whatever server, database or role have as their defaults; and limits of waiting.

    Seconds. Both limits end in an OperationalError, temporary like one where PostgreSQL is down: a wait for a lock, and an idle transaction,
    which loses its connection. PostgreSQL, too, notices within half a minute that the other side of a connection is gone.
    """
    settings = (
        # What a statement waited for is read as it is after the wait. Set here, it costs nothing; in each BEGIN, 5 % of a short transaction.
        "SET default_transaction_isolation = 'read committed'; "
        "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; "  # in any other the driver cannot read times, or ages
        f"SET lock_timeout = {behind_a_lock * 1000:.0f}; "
        f"SET idle_in_transaction_session_timeout = {idle_with_locks * 1000:.0f}; "
        "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
    )

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(settings)
        connection.commit()
        engine.dialect.default_isolation_level = (
            "READ COMMITTED"  # after a snapshot SQLAlchemy goes back to what it found
        )

    @event.listens_for(engine, "handle_error", retval=True)
    def temporary(context: ExceptionContext) -> DatabaseAway | None:
        """Errors that the driver gives another type, so that nobody would retry them: idle for too long, or longer than the role may take, or `is_outdated`."""
        error = context.original_exception
        if is_outdated(error):
            context.is_disconnect = True  # all others in the pool are outdated, too
        elif not isinstance(error, IdleInTransactionSessionTimeout | TransactionTimeout):
            return None
        return DatabaseAway(context.statement, None, error, hide_parameters=True, connection_invalidated=True)


_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""a half-open connection is noticed in half a minute"""

UNASKED = 2.0
"""seconds a pooled connection may rest without being pinged before its next use"""


def check_before_use(engine: Engine) -> None:
    """Replace a connection that broke in the pool, and with it all others there, before anybody works on it.

    A ping each time, as with `pool_pre_ping`, takes a fifth of a short transaction. A server that stopped has closed its sockets,
    which the kernel tells us for free; so we ping only where the socket is readable, or has rested for longer than `UNASKED`.
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
    """Whether something has arrived unasked: mostly, that the server closed it."""
    if connection.closed:
        return True
    watch = poll()
    watch.register(connection.fileno(), POLLIN)
    return bool(watch.poll(0))


class Transactions:
    """`with transactions() as session:` one transaction; its objects stay readable after it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(self) -> "Transaction":
        return Transaction(Session(self.engine, expire_on_commit=False))


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
        if not self._session.in_transaction():
            return  # nothing was said in it
        try:
            if kind is None:
                self._session.commit()
        finally:
            self._session.close()  # what is not committed is rolled back
