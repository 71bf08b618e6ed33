"""Why a credit on a document bears no VAT: under the treatment of the period that is credited"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE invoice_lines ADD COLUMN IF NOT EXISTS from_tax_treatment varchar(40)")
    op.execute("ALTER TABLE invoice_lines ALTER COLUMN from_tax_treatment TYPE treatment")


def downgrade() -> None:
    """The column stays: what issued documents say is not lost. Without its domain, which 0009 drops."""
    op.execute("ALTER TABLE invoice_lines ALTER COLUMN from_tax_treatment TYPE varchar(40)")
