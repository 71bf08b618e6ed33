"""A backup of a world's database, and its restore: what happened since is forgotten here, but by nobody else."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy import Engine, create_engine, text

from tasks import wiring
from tests.support.world import World
from worker.database import Transactions
from worker.embedded import PostgresServer

Restore = Callable[[], None]
BackUp = Callable[[], Restore]


@pytest.fixture
def backed_up(world: World, postgres_server: PostgresServer) -> Iterator[BackUp]:
    """Take a backup; calling what that returns switches the world over to the backup."""
    with ExitStack() as exits:

        def back_up() -> Restore:
            here: Engine = world.transactions._engine
            here.dispose()
            _disconnect(postgres_server, here.url.database)
            name = f"{here.url.database}_backup"
            kept = create_engine(postgres_server.create_database(name, template=here.url.database))
            exits.callback(postgres_server.drop_database, name)
            exits.callback(kept.dispose)

            def restore() -> None:
                world.transactions = Transactions(kept)
                world.wiring = replace(world.wiring, begin=world.transactions)
                wiring.plug_in(world.wiring)

            return restore

        yield back_up


def _disconnect(server: PostgresServer, database: str | None) -> None:
    """Whoever is still in it: a database can be copied only while nobody is."""
    server_engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with server_engine.connect() as connection:
        ended = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :database")
        connection.execute(ended, {"database": database}).all()
    server_engine.dispose()
