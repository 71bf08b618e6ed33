"""No error beside a step's outcome: it was never written; the order's row and its timeline have it"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("order_steps", "error")


def downgrade() -> None:
    op.add_column("order_steps", sa.Column("error", sa.String(2000), nullable=True))
