"""What a change credits has room for as much as was charged"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE subscription_periods
            ALTER COLUMN unused_minor TYPE bigint,
            ALTER COLUMN unused_tax_minor TYPE bigint
    """)
    op.execute("CREATE INDEX ix_subscription_periods_subscription_id ON subscription_periods (subscription_id)")
    op.execute("ANALYZE subscription_periods")


def downgrade() -> None:
    op.execute("DROP INDEX ix_subscription_periods_subscription_id")
    op.execute("""
        ALTER TABLE subscription_periods
            ALTER COLUMN unused_minor TYPE integer,
            ALTER COLUMN unused_tax_minor TYPE integer
    """)
    op.execute("ANALYZE subscription_periods")
