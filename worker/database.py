"""The database engine of this process, and transactions on it."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker

import models.tables  # noqa: F401 - every table is known before the first flush, whatever else this process imports
from worker.settings import Settings


def engine(settings: Settings) -> Engine:
    """Connections are pooled, checked when they come from the pool, and never shared with a forked child."""
    made = create_engine(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_pool_size,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,  # an SQL error in a log must not carry addresses
        connect_args={"connect_timeout": 5, "application_name": "prorata", **_KEEPALIVE},
    )
    os.register_at_fork(after_in_child=lambda: made.dispose(close=False))
    return made


_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""a half-open connection is noticed in half a minute"""


class Transactions:
    """`with transactions() as session:` one transaction; its objects stay readable after it."""

    def __init__(self, engine: Engine) -> None:
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    def __call__(self) -> AbstractContextManager[Session]:
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with self._sessions.begin() as session:
            yield session
