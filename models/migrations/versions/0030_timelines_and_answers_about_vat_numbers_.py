"""Timelines, and answers about VAT numbers, never change"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TABLES = {
    "order_events": "'the timeline of an order is only ever added to', 'put it right by another entry'",
    "vat_checks": "'an answer of the VAT registry stays as it was given', 'ask again, which is recorded anew'",
}


def upgrade() -> None:
    for table, says in TABLES.items():
        refuses = f"EXECUTE FUNCTION refuse_change({says})"
        op.execute(f"CREATE TRIGGER {table}_are_frozen BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {refuses}")
        op.execute(f"CREATE TRIGGER {table}_are_kept BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {refuses}")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_are_frozen ON {table}")
        op.execute(f"DROP TRIGGER {table}_are_kept ON {table}")
