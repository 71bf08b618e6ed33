"""The migrations build what the models say, triggers and functions too: PostgreSQL's own catalogue is compared."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, text

from models import migrations
from models.states import Step
from models.tables import metadata
from worker.embedded import PostgresServer

CATALOGUE = {
    "columns": "select table_name, column_name, data_type, is_nullable, column_default, character_maximum_length,"
    " numeric_precision, numeric_scale from information_schema.columns where table_schema = 'public'",
    "constraints": "select conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '')"
    " from pg_constraint where connamespace = 'public'::regnamespace",
    "indexes": "select tablename, indexdef from pg_indexes where schemaname = 'public'",
    "triggers": "select tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
    "functions": "select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace",
}


@pytest.fixture
def both(postgres_server: PostgresServer) -> Iterator[tuple[Engine, Engine]]:
    """A database made by the migrations and one made from the models."""
    urls = [postgres_server.create_database(name) for name in ("agree-migrated", "agree-modelled")]
    migrations.upgrade(urls[0])
    migrated, modelled = (create_engine(url) for url in urls)
    metadata.create_all(modelled)
    yield migrated, modelled
    for engine, name in ((migrated, "agree-migrated"), (modelled, "agree-modelled")):
        engine.dispose()
        postgres_server.drop_database(name)


def test_migrations_and_models_make_the_same_database(both: tuple[Engine, Engine]) -> None:
    for what, query in CATALOGUE.items():
        migrated, modelled = (rows(engine, query) for engine in both)
        assert migrated == modelled, what


def test_the_last_migration_can_be_undone_and_done_again(both: tuple[Engine, Engine]) -> None:
    url = both[0].url.render_as_string(hide_password=False)
    command.downgrade(migrations.config(url), "-1")
    migrations.upgrade(url)
    test_migrations_and_models_make_the_same_database(both)


def test_a_list_with_one_more_value_is_the_same_though_no_row_was_looked_at(both: tuple[Engine, Engine]) -> None:
    """A migration that adds a value leaves the list's constraint so (`models.migrations.domains`)."""
    listed = ", ".join(f"'{step}'" for step in Step)
    with both[0].begin() as connection:
        connection.execute(text("alter domain step drop constraint ck_step"))
        connection.execute(text(f"alter domain step add constraint ck_step check (value in ({listed})) not valid"))
    test_migrations_and_models_make_the_same_database(both)


def rows(engine: Engine, query: str) -> set[tuple[object, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(text(query)) if row[0] != "alembic_version"}
