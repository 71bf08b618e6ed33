"""The migrations build what the models say, triggers and functions too: PostgreSQL's own catalogue is compared."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from models import migrations
from models.states import Step
from models.tables import metadata
from tests.support.database_catalogue import CATALOGUE, catalogue
from worker.embedded import PostgresServer


@pytest.fixture(scope="module")
def migrated(postgres_server: PostgresServer) -> Iterator[str]:
    """For all of these tests: each leaves it as it was."""
    url = postgres_server.create_database("agree-migrated")
    migrations.upgrade(url)
    yield url
    postgres_server.drop_database("agree-migrated")


@pytest.fixture(scope="module")
def modelled(postgres_server: PostgresServer) -> Iterator[str]:
    """Made from the models alone."""
    url = postgres_server.create_database("agree-modelled")
    engine = create_engine(url)
    metadata.create_all(engine)
    engine.dispose()
    yield url
    postgres_server.drop_database("agree-modelled")


def test_migrations_and_models_make_the_same_database(migrated: str, modelled: str) -> None:
    made, said = catalogue(migrated), catalogue(modelled)
    for what in CATALOGUE:
        assert made[what] == said[what], what


def test_the_last_migration_can_be_undone_and_done_again(migrated: str) -> None:
    before = catalogue(migrated)
    command.downgrade(migrations.config(migrated), "-1")
    migrations.upgrade(migrated)
    assert catalogue(migrated) == before


def test_a_list_with_one_more_value_is_the_same_though_no_row_was_looked_at(migrated: str) -> None:
    """A migration that adds a value leaves the list's constraint so (`models.migrations.domains`)."""
    before = catalogue(migrated)
    listed = ", ".join(f"'{step}'" for step in Step)
    engine = create_engine(migrated)
    with engine.begin() as connection:
        connection.execute(text("alter domain step drop constraint ck_step"))
        connection.execute(text(f"alter domain step add constraint ck_step check (value in ({listed})) not valid"))
    engine.dispose()
    assert catalogue(migrated) == before
