"""An engine for each world, with what SQLAlchemy compiled for those before, and their connections: they know the tables and have plans."""

from collections import defaultdict
from functools import cache
from select import select
from typing import Any, cast

import psycopg
from sqlalchemy import URL, Dialect, Engine, QueuePool, create_engine, event, make_url

_compiled: dict[Any, Any] = {}
"""by statement and dialect"""

idle_connections: dict[str, list[psycopg.Connection]] = defaultdict(list)
"""by URL, of the engines that are done with"""

_PREPARED_AFTER = 2
"""executions, where a test has not changed that"""
_PREPARED = 2000
"""statements that a connection keeps: more than all tests send, as planning them anew was a third of PostgreSQL's work"""


def engine_for(database_url: str, *, pool_size: int) -> Engine:
    """As `create_engine` makes it, but with the dialect that the server's other databases have: that makes a dialect for each engine."""
    url = make_url(database_url)
    dialect = _dialect(url.set(database="postgres"))
    _, arguments = dialect.create_connect_args(url)
    idle = idle_connections[database_url]

    def connection() -> Any:
        while idle:
            kept = idle.pop()
            if not select([kept], [], [], 0)[0]:
                return kept
            kept.close()  # the server has something to say, which is that it has ended it
        made: Any = dialect.connect(**arguments, prepare_threshold=_PREPARED_AFTER)
        made.prepared_max = _PREPARED
        return made

    pool = QueuePool(connection, pool_size=pool_size, dialect=dialect)
    set_up = dialect.on_connect()
    assert set_up is not None
    event.listen(pool, "connect", lambda connection, _: set_up(connection))
    return Engine(pool, dialect, url, execution_options={"compiled_cache": _compiled})


def done_with(engine: Engine) -> None:
    """Dispose of it, but for the connections that nobody uses any more."""
    pool = cast(QueuePool, engine.pool)
    idle = idle_connections[engine.url.render_as_string(hide_password=False)]
    for _ in range(pool.checkedin()):
        lent = pool.connect()
        connection = cast(psycopg.Connection, lent.driver_connection)
        if connection.prepare_threshold == _PREPARED_AFTER:
            lent.detach()
            connection.execute("RESET ALL")
            connection.commit()
            idle.append(connection)
    engine.dispose()


def forget_connections(engine: Engine) -> None:
    """Close all that are idle, those of engines before it, too."""
    engine.dispose()
    idle = idle_connections[engine.url.render_as_string(hide_password=False)]
    while idle:
        idle.pop().close()


@cache
def _dialect(server: URL) -> Dialect:
    """It has asked the server what that is and can."""
    engine = create_engine(server)
    engine.connect().close()
    engine.dispose()
    return engine.dialect
