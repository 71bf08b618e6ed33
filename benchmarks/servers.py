"""The one PostgreSQL and the one Redis that everybody is measured on, set up as production would: what commits is on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis as redis_client

from benchmarks.first_cause import naming_the_first
from models import migrations
from worker.embedded import PostgresServer, RedisServer, postgres, redis
from worker.processes import Child

MIGRATED = "migrated"
"""a database with Prorata's tables and nothing in them, to copy from"""


@dataclass(frozen=True, slots=True)
class Servers:
    postgres: PostgresServer
    redis: RedisServer

    @property
    def children(self) -> list[Child]:
        return [self.postgres.child, self.redis.child]

    def database(self, name: str, *, migrated: bool) -> str:
        """A new database in place of an old one of that name. Returns its URL (SQLAlchemy's)."""
        self.postgres.drop_database(name)
        return self.postgres.create_database(name, template=MIGRATED if migrated else None)

    def level_ground(self) -> None:
        """Before each turn: empty Redis, and let PostgreSQL write out what the turn before has left."""
        with self._redis() as client:
            client.flushall()
        self.execute("CHECKPOINT")

    def execute(self, statement: str) -> None:
        with psycopg.connect(plain(self.postgres.url), autocommit=True) as connection:
            connection.execute(statement.encode())

    def versions(self) -> dict[str, str]:
        with psycopg.connect(plain(self.postgres.url)) as connection, self._redis() as client:
            (server,) = connection.execute("SHOW server_version").fetchone() or ("?",)
            return {"PostgreSQL": str(server).split()[0], "Redis": str(client.info("server")["redis_version"])}

    def _redis(self) -> redis_client.Redis:
        return redis_client.Redis.from_url(self.redis.url)

    def append_every_second(self) -> None:
        """As production runs Redis; our embedded one waits for the disk at every command, for the drills' sake."""
        with self._redis() as client:
            client.config_set("appendfsync", "everysec")


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    """Raises ChildFailed if one of them ends while it is needed."""
    with postgres(folder / "postgres") as database, redis(folder / "redis") as broker:
        servers = Servers(database, broker)
        servers.append_every_second()
        migrations.upgrade(servers.database(MIGRATED, migrated=False))
        with naming_the_first(lambda: servers.children):
            yield servers


def plain(url: str) -> str:
    """A SQLAlchemy URL as libpq wants it."""
    return url.replace("postgresql+psycopg://", "postgresql://")
