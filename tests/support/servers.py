"""Real servers for the tests: one PostgreSQL and one Redis for each pytest process, started when a test first asks."""

from collections.abc import Iterator
from itertools import count

import pytest

from models import migrations
from worker.embedded import PostgresServer, RedisServer, postgres, redis

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis(tmp_path_factory.mktemp("redis"), persistence=False) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """Name of the database that the tests' databases are copies of."""
    migrations.upgrade(postgres_server.create_database("template"))
    return "template"


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer, template_database: str) -> str:
    """A database for this pytest process; tests that commit share it."""
    return postgres_server.create_database("prorata", template=template_database)


@pytest.fixture
def fresh_database_url(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    """A database for one test alone; about 50 ms."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.create_database(name, template=template_database)
    postgres_server.drop_database(name)
