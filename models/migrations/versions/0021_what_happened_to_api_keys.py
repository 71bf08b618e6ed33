"""What happened to API keys is recorded"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

RECORDS = "refuse_change('the record of what happened to a key never changes', 'change the key again, which is recorded anew')"


def upgrade() -> None:
    op.execute(
        "CREATE DOMAIN key_change AS varchar(40) CONSTRAINT ck_key_change"
        " CHECK (VALUE IN ('issued', 'renamed', 'scopes_changed', 'allowed', 'disallowed', 'revoked'))"
    )
    op.create_table(
        "api_key_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("what", postgresql.DOMAIN("key_change", sa.String(40), create_type=False), nullable=False),
        sa.Column("accounts", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("changed_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "what not in ('allowed', 'disallowed') or cardinality(accounts) > 0",
            name=op.f("ck_api_key_changes_concerns_accounts"),
        ),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_api_key_changes_api_key_id_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key_changes")),
    )
    op.create_index(op.f("ix_api_key_changes_api_key_id"), "api_key_changes", ["api_key_id"])
    op.execute(
        "CREATE TRIGGER api_key_changes_are_frozen BEFORE UPDATE OR DELETE ON api_key_changes FOR EACH ROW"
        f" EXECUTE FUNCTION {RECORDS}"
    )
    op.execute(
        "CREATE TRIGGER api_key_changes_are_kept BEFORE TRUNCATE ON api_key_changes FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {RECORDS}"
    )


def downgrade() -> None:
    op.drop_table("api_key_changes")
    op.execute("DROP DOMAIN key_change")
