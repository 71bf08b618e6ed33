"""Run by Alembic: migrate the database that the configuration names, one process at a time."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from models.tables import metadata

_LOCK = 0x70726F72  # any number, the same for every process that migrates

_UNPREPARED = {"prepare_threshold": None}
"""behind a pooler a statement must not stay prepared for whoever comes next: worker/pooler.py"""

engine = create_engine(
    context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool, connect_args=_UNPREPARED
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        connection.execute(text("set local lock_timeout = '2s'"))  # worker/upgrading.py tries again
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        context.run_migrations()
    connection.commit()
