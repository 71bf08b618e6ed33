"""When a refund was last requested, unless that was refused"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # An older release writes no time: what it begins is under way by this default.
    op.add_column(
        "refund_attempts",
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=True),
    )
    # So far a refusal was noted once for a charge, and did not say of which request.
    op.execute(
        """
        UPDATE refund_attempts SET asked_at = NULL
        WHERE status = 'pending' AND EXISTS (
            SELECT FROM order_events
            WHERE order_events.order_id = refund_attempts.order_id AND kind = 'refund.refused'
              AND facts @> jsonb_build_object('attempt', refund_attempts.charge_attempt)
        )
        """
    )


def downgrade() -> None:
    op.drop_column("refund_attempts", "asked_at")
