"""Why a credit on a document bears no VAT: under the treatment of the period that is credited"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE invoice_lines ADD COLUMN from_tax_treatment treatment")


def downgrade() -> None:
    op.drop_column("invoice_lines", "from_tax_treatment")
