"""Room for the longest unit in which a share of a period is counted"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PRICED_LINES = ("quote_lines", "order_lines", "invoice_lines")


def upgrade() -> None:
    for table in PRICED_LINES:
        op.alter_column(table, "share_unit", type_=sa.String(length=20))


def downgrade() -> None:
    for table in PRICED_LINES:
        op.alter_column(table, "share_unit", type_=sa.String(length=10))
