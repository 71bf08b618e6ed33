"""Whom an order is sold to, kept with quote and order"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("quotes", "orders"):
        op.add_column(table, sa.Column("sold_to", JSONB(none_as_null=True), nullable=True))


def downgrade() -> None:
    for table in ("orders", "quotes"):
        op.drop_column(table, "sold_to")
