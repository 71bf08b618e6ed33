"""When the books were last checked, for the metrics, and an index of what is owed"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "books_checks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.CheckConstraint("differences >= 0", name=op.f("ck_books_checks_differences_not_negative")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_books_checks")),
    )
    op.execute("CREATE INDEX ix_receivables_open ON receivables (due_at) WHERE status = 'open'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_receivables_open")
    op.drop_table("books_checks")
