"""An index of what corrects a document"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_invoices_corrects_id ON invoices (corrects_id) WHERE corrects_id IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_invoices_corrects_id")
