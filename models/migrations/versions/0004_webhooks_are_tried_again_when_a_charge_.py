"""Webhooks are tried again; when a charge was last asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charge_attempts", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhooks_received", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("webhooks_received", sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("webhooks_received", "next_attempt_at")
    op.drop_column("webhooks_received", "attempts")
    op.drop_column("charge_attempts", "asked_at")
