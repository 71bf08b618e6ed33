"""When an API key was last used: whether it can be retired"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz")


def downgrade() -> None:
    op.drop_column("api_keys", "last_used_at")
