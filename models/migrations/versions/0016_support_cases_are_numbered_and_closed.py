"""Support cases have numbers for people, and say when they were last asked for, and who closed them and why"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE support_cases
            ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT uq_support_cases_number UNIQUE,
            ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN closed_by varchar(200),
            ADD COLUMN closed_why text,
            ADD CONSTRAINT ck_support_cases_only_closed_says_why
                CHECK (closed_at IS NOT NULL OR (closed_by IS NULL AND closed_why IS NULL))
    """)
    op.execute("UPDATE support_cases SET asked_at = created_at")


def downgrade() -> None:
    op.execute("""
        ALTER TABLE support_cases
            DROP CONSTRAINT ck_support_cases_only_closed_says_why,
            DROP COLUMN closed_why,
            DROP COLUMN closed_by,
            DROP COLUMN asked_at,
            DROP COLUMN number
    """)
