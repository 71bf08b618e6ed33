"""Room beside an order's row, for the versions of it that its steps write one after the other"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders SET (fillfactor = 70)")


def downgrade() -> None:
    op.execute("ALTER TABLE orders RESET (fillfactor)")
