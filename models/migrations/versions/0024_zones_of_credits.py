"""The time zones of credits, which an older release cannot read: going back removes them from orders and quotes"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    for table in ("orders", "quotes"):
        op.execute(f"UPDATE {table} SET sold_to = sold_to - 'credit_timezones' WHERE sold_to ? 'credit_timezones'")  # noqa: S608
