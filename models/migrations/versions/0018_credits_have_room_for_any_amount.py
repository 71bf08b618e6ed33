"""What a change credits has room for as much as was charged"""

import sqlalchemy as sa
from alembic import op

from models.migrations import RevisionRefused

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOST = 2**31 - 1
BEYOND = sa.text(
    "SELECT EXISTS (SELECT FROM subscription_periods WHERE greatest(unused_minor, unused_tax_minor) > :most)"
)


def upgrade() -> None:
    op.execute("""
        ALTER TABLE subscription_periods
            ALTER COLUMN unused_minor TYPE bigint,
            ALTER COLUMN unused_tax_minor TYPE bigint
    """)
    op.execute("CREATE INDEX ix_subscription_periods_subscription_id ON subscription_periods (subscription_id)")
    op.execute("ANALYZE subscription_periods")


def downgrade() -> None:
    if op.get_bind().scalar(BEYOND, {"most": MOST}):
        raise RevisionRefused(
            f"Nothing was changed: subscription_periods holds credits above {MOST}, for which there is no room before 0018. "
            "Go back to 0018 at the earliest, or restore a backup that is older than these credits."
        )
    op.execute("DROP INDEX ix_subscription_periods_subscription_id")
    op.execute("""
        ALTER TABLE subscription_periods
            ALTER COLUMN unused_minor TYPE integer,
            ALTER COLUMN unused_tax_minor TYPE integer
    """)
    op.execute("ANALYZE subscription_periods")
