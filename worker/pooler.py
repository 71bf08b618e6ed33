"""A pooler of connections between us and PostgreSQL (PgBouncer, for example), and what must not be done behind one.

With transaction pooling, each transaction may run on another server process. The name of a statement that we prepared may be another
client's statement there, and that would be executed with our parameters. So behind a pooler nothing is prepared. And limits that are
set once for a connection apply to whichever client uses that server process next: set them on the role instead. How a transaction is
isolated each BEGIN says there, for the same reason.

A pooler shows in the process id: it must give its clients ids of its own to cancel by, which differ from what PostgreSQL answers.
One that gives each client a server process of its own cannot be told from the others, and nothing is prepared behind it either.
"""

from threading import Lock
from typing import Any

import structlog
from psycopg import IsolationLevel
from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

log = structlog.get_logger(__name__)

LIMITS = ("lock_timeout", "idle_in_transaction_session_timeout")
"""settings of PostgreSQL's that `worker.database` sets for each connection"""

_ASK = "SELECT pg_backend_pid(), array(SELECT name FROM pg_settings WHERE name = ANY(%s) AND reset_val = '0' ORDER BY name)"


def prepare_nothing_behind(engine: Engine) -> None:
    """Check each new connection of the engine; the first that goes through a pooler is logged."""
    first = Lock()

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: ConnectionPoolEntry) -> None:
        process, unlimited = connection.execute(_ASK, [list(LIMITS)]).fetchone()
        connection.commit()
        if process == connection.info.backend_pid:
            return
        connection.prepare_threshold = None
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        if first.acquire(blocking=False):
            log.warning("a pooler is before PostgreSQL: no statement is prepared", role_should_set=unlimited)
