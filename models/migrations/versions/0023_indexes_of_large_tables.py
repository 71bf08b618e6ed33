"""Indexes for what looked through all documents, orders and people"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_invoices_issued_on": "invoices (issued_on)",
    "ix_invoices_supplied_on": "invoices (supplied_on)",
    "ix_orders_ended_without": "orders (status, number) WHERE status IN ('rejected', 'cancelled', 'refunded')",
    "ix_orders_naming_somebody": "orders (number) WHERE strpos(reason_facts::text, '@') > 0",
    "ix_contacts_email": "contacts (email)",
    "ix_seat_assignments_user_email": "seat_assignments (user_email)",
}


def upgrade() -> None:
    for name, what in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
