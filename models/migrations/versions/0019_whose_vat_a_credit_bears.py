"""Whose VAT a credit on a document bears: that of the country in which the credited period was charged"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice_lines", sa.Column("from_tax_country", sa.String(length=2), nullable=True))


def downgrade() -> None:
    op.drop_column("invoice_lines", "from_tax_country")
