"""Numbers whose documents were lost are recorded"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

RECORDS = (
    "refuse_change('the record of lost numbers never changes', 'if it is wrong, note that where you keep the incident')"
)


def upgrade() -> None:
    op.create_table(
        "lost_numbers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.String(length=10), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(length=200), nullable=False),
        sa.Column("recorded_why", sa.Text(), nullable=False),
        sa.CheckConstraint("first > 0 and last >= first", name=op.f("ck_lost_numbers_a_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lost_numbers")),
    )
    op.execute(
        "CREATE TRIGGER lost_numbers_are_frozen BEFORE UPDATE OR DELETE ON lost_numbers FOR EACH ROW"
        f" EXECUTE FUNCTION {RECORDS}"
    )
    op.execute(
        "CREATE TRIGGER lost_numbers_are_kept BEFORE TRUNCATE ON lost_numbers FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {RECORDS}"
    )


def downgrade() -> None:
    op.drop_table("lost_numbers")
