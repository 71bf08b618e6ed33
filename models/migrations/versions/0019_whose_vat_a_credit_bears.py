"""Whose VAT a credit on a document bears: that of the country in which the credited period was charged"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE invoice_lines ADD COLUMN IF NOT EXISTS from_tax_country varchar(2)")


def downgrade() -> None:
    """The column stays: what issued documents say is not lost."""
