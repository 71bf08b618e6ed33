"""Indexes for what looked through all documents, orders and quotes"""

from alembic import op

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_invoices_issued_on": "invoices (issued_on)",
    "ix_invoices_supplied_on": "invoices (supplied_on)",
    "ix_orders_ended_without": "orders (status, number) WHERE status IN ('rejected', 'cancelled', 'refunded')",
}


def upgrade() -> None:
    for name, what in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
