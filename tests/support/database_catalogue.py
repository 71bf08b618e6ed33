"""What PostgreSQL itself says of a database's tables, to hold two databases against each other."""

from typing import Any

from sqlalchemy import create_engine, text

CATALOGUE = {
    "columns": """
        select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
               domain_name, is_nullable, column_default, is_identity, identity_generation
        from information_schema.columns where table_schema = 'public'""",
    "constraints": """
        select conrelid::regclass::text, conname, contype::text, replace(pg_get_constraintdef(oid), ' NOT VALID', '')
        from pg_constraint where connamespace = 'public'::regnamespace""",
    "indexes": "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
    "triggers": "select tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
    "functions": "select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace",
}


def catalogue(url: str) -> dict[str, set[tuple[Any, ...]]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            what: {tuple(row) for row in connection.execute(text(query)) if row[0] != "alembic_version"}
            for what, query in CATALOGUE.items()
        }
    engine.dispose()
    return found
