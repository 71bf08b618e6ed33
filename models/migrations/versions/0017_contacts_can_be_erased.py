"""Contacts can be erased, and every erasure is recorded"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

RECORDS = "refuse_change('the record of an erasure never changes', 'erase again, which is recorded anew')"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_by", sa.String(length=200), nullable=False),
        sa.Column("erased_why", sa.Text(), nullable=False),
        sa.Column("rows", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.execute(
        "CREATE TRIGGER erasures_are_frozen BEFORE UPDATE OR DELETE ON erasures FOR EACH ROW"
        f" EXECUTE FUNCTION {RECORDS}"
    )
    op.execute(
        f"CREATE TRIGGER erasures_are_kept BEFORE TRUNCATE ON erasures FOR EACH STATEMENT EXECUTE FUNCTION {RECORDS}"
    )
    op.execute("ALTER TABLE contacts ADD COLUMN erased_at timestamptz")
    # After a downgrade there are some already; when they were erased is no longer known.
    op.execute("UPDATE contacts SET erased_at = now(), is_billing_contact = false WHERE email LIKE '%@erased.invalid'")
    op.execute("""
        ALTER TABLE contacts
            ADD CONSTRAINT ck_contacts_erased_is_nobody
                CHECK (erased_at IS NULL OR (NOT is_billing_contact AND email LIKE '%@erased.invalid'))
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE contacts DROP CONSTRAINT ck_contacts_erased_is_nobody, DROP COLUMN erased_at")
    op.drop_table("erasures")
