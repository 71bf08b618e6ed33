"""Indexes of what the metrics count and housekeeping throws away: neither reads a whole table"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_orders_not_ended": "orders (status, created_at)"
    " WHERE status NOT IN ('completed', 'rejected', 'cancelled', 'refunded')",
    "ix_orders_proposed_quote_id": "orders (proposed_quote_id) WHERE proposed_quote_id IS NOT NULL",
    "ix_quotes_expires_at": "quotes (expires_at)",
    "ix_webhooks_handled": "webhooks_received (handled_at) WHERE handled_at IS NOT NULL",
    "ix_letters_refused": "order_events (id) WHERE kind = 'letter.undeliverable'",
}


def upgrade() -> None:
    for name, what in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
