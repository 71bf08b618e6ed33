"""The day of supply that a document names, as it was when it was issued"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE invoices ADD COLUMN IF NOT EXISTS supplied_on date")


def downgrade() -> None:
    """The column stays: what issued documents say is not lost."""
