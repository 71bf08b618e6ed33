"""What is timed is the same for those who are compared."""

from pathlib import Path

import psycopg
import pytest

from benchmarks.contestants import PEERS
from benchmarks.servers import MIGRATED, Servers, plain
from benchmarks.turn import started
from models import migrations
from worker.embedded import PostgresServer, RedisServer


@pytest.mark.parametrize("name", ["prorata", "floor"])
def test_the_commit_that_places_an_order_is_within_its_time(
    name: str, postgres_server: PostgresServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    servers = Servers(postgres_server, redis_server)
    migrations.upgrade(servers.database(MIGRATED, migrated=False))
    with (
        started(PEERS[name], servers, tmp_path) as it,
        psycopg.connect(plain(it.database_url), autocommit=True) as there,
    ):
        before = _orders(there)
        it.driver.prepare(3)
        assert _orders(there) == before
        it.driver.burst(3)
        assert _orders(there) == before + 3


def _orders(there: psycopg.Connection) -> int:
    (number,) = there.execute("SELECT count(*) FROM orders").fetchone() or (0,)
    return int(number)
