"""The day of each series' last document"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice_series", sa.Column("last_issued_on", sa.Date(), nullable=True))
    op.add_column("invoice_series", sa.Column("unordered_until", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE invoice_series SET unordered_until = last_sequence")


def downgrade() -> None:
    op.drop_column("invoice_series", "unordered_until")
    op.drop_column("invoice_series", "last_issued_on")
