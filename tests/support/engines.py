"""An engine for each world, and for all of them what SQLAlchemy has compiled: for every engine anew, that is a seventh of a test's work."""

from functools import cache
from typing import Any

from sqlalchemy import URL, Dialect, Engine, QueuePool, create_engine, event, make_url

_compiled: dict[Any, Any] = {}
"""by statement and dialect"""


def engine_for(database_url: str, *, pool_size: int) -> Engine:
    """As `create_engine` makes it, but with the dialect that the server's other databases have: that makes a dialect for each engine."""
    url = make_url(database_url)
    dialect = _dialect(url.set(database="postgres"))
    _, arguments = dialect.create_connect_args(url)
    pool = QueuePool(lambda: dialect.connect(**arguments), pool_size=pool_size, dialect=dialect)
    set_up = dialect.on_connect()
    assert set_up is not None
    event.listen(pool, "connect", lambda connection, _: set_up(connection))
    return Engine(pool, dialect, url, execution_options={"compiled_cache": _compiled})


@cache
def _dialect(server: URL) -> Dialect:
    """It has asked the server what that is and can."""
    engine = create_engine(server)
    engine.connect().close()
    engine.dispose()
    return engine.dialect
