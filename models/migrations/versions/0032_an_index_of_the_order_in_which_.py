"""An index of the order in which notifications are tried"""

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


def downgrade() -> None:
    op.execute("CREATE INDEX ix_webhooks_waiting ON webhooks_received (received_at) WHERE handled_at IS NULL")
    op.execute("DROP INDEX ix_webhooks_to_try")
