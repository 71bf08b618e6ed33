"""Why an order is to be cancelled"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("cancel_reason", sa.String(40), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "cancel_reason")
