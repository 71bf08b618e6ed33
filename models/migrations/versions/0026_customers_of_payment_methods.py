"""The customer at the provider that a payment method was stored with, where the account has another by now"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_methods", sa.Column("customer_ref", sa.String(length=255), nullable=True))


def downgrade() -> None:
    op.drop_column("payment_methods", "customer_ref")
