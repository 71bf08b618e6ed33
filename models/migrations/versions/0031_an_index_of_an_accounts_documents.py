"""An index of an account's documents, in the order in which they are listed"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_invoices_account ON invoices (account_id, id)")
    op.execute("DROP INDEX ix_invoices_account_id")


def downgrade() -> None:
    op.execute("CREATE INDEX ix_invoices_account_id ON invoices (account_id)")
    op.execute("DROP INDEX ix_invoices_account")
