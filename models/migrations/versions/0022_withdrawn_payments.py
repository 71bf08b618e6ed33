"""Payments by transfer can be withdrawn"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

RECORDS = "refuse_change('a withdrawn payment stays on record', 'record the payment again')"


def upgrade() -> None:
    op.create_table(
        "withdrawn_payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unpaid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_withdrawn_payments_amount_positive")),
        sa.CheckConstraint("unpaid_at >= paid_at", name=op.f("ck_withdrawn_payments_not_before_it_was_paid")),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["receivables.invoice_id"], name=op.f("fk_withdrawn_payments_invoice_id_receivables")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawn_payments")),
    )
    op.create_index(op.f("ix_withdrawn_payments_invoice_id"), "withdrawn_payments", ["invoice_id"])
    op.execute(
        "CREATE TRIGGER withdrawn_payments_are_frozen BEFORE UPDATE OR DELETE ON withdrawn_payments FOR EACH ROW"
        f" EXECUTE FUNCTION {RECORDS}"
    )
    op.execute(
        "CREATE TRIGGER withdrawn_payments_are_kept BEFORE TRUNCATE ON withdrawn_payments FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {RECORDS}"
    )


def downgrade() -> None:
    op.drop_table("withdrawn_payments")
