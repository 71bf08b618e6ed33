"""A backup of a world's database, and its restore: what happened since is forgotten here, but by nobody else."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Engine, create_engine, text

from tasks import wiring
from tests.support.engines import engine_for
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
            here: Engine = world.transactions.engine
            here.dispose()
            name = f"{here.url.database}_backup"
            with left_alone(postgres_server, str(here.url.database)):
                kept = engine_for(postgres_server.create_database(name, template=here.url.database), pool_size=5)
            exits.callback(postgres_server.drop_database, name)
            exits.callback(kept.dispose)

            def restore() -> None:
                world.transactions = Transactions(kept)
                world.wiring = replace(world.wiring, begin=world.transactions)
                wiring.plug_in(world.wiring)

            return restore

        yield back_up


@contextmanager
def left_alone(server: PostgresServer, database: str) -> Iterator[None]:
    """Nobody is connected to it, nor can be: only so it can be copied, and the thread that renews leases may be about to ask it."""
    server_engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with server_engine.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false'))
        ended = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :database")
        connection.execute(ended, {"database": database}).all()
        yield
        connection.execute(text(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true'))
    server_engine.dispose()
