"""Indexes of waiting notifications, in the order in which they are tried, and of declined charges"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_webhooks_to_try ON webhooks_received (next_attempt_at NULLS FIRST, received_at)"
        " WHERE handled_at IS NULL"
    )
    op.execute("DROP INDEX ix_webhooks_waiting")
    op.execute("CREATE INDEX ix_charge_attempts_declined ON charge_attempts (settled_at) WHERE status = 'declined'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_charge_attempts_declined")
    op.execute("CREATE INDEX ix_webhooks_waiting ON webhooks_received (received_at) WHERE handled_at IS NULL")
    op.execute("DROP INDEX ix_webhooks_to_try")
