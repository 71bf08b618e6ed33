"""When the charge of an attempt that was given up is looked up once more"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charge_attempts", sa.Column("look_again_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_charge_attempts_look_again",
        "charge_attempts",
        ["look_again_at"],
        unique=False,
        postgresql_where="look_again_at is not null",
    )


def downgrade() -> None:
    op.drop_index(
        "ix_charge_attempts_look_again", table_name="charge_attempts", postgresql_where="look_again_at is not null"
    )
    op.drop_column("charge_attempts", "look_again_at")
