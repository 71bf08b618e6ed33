"""Run by Alembic: migrate the database that the configuration names, one process at a time."""

from alembic import context
from sqlalchemy import text

from models import migrations
from models.migrations import domains
from models.tables import metadata

_LOCK = 0x70726F72  # any number, the same for every process that migrates

engine = migrations.engine(context.config.get_main_option("sqlalchemy.url") or "")
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_item=domains.rendered,
        process_revision_directives=domains.with_domains,
    )
    with context.begin_transaction():
        connection.execute(migrations.TIMEOUTS)
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        context.run_migrations()
    connection.commit()
