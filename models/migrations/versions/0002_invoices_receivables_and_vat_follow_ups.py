"""Invoices, receivables and VAT follow-ups"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.migrations import RevisionRefused

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LETTERS = ("confirmation", "trial_welcome", "seat_prompt", "refund_notice")

FUNCTION = """
CREATE FUNCTION refuse_change_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issued document is never changed: % on % refused; correct it by another document', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "invoice_series",
        sa.Column("series", sa.String(length=10), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("last_sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name=op.f("pk_invoice_series")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "invoice", "credit_note", name="invoice_kind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column(
            "reason",
            sa.Enum(
                "order",
                "refund",
                "vat_number_invalid",
                "vat_number_confirmed",
                name="invoice_reason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("series", sa.String(length=10), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("cause", sa.String(length=120), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("corrects_number", sa.String(length=30), nullable=True),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supplied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_number", sa.String(length=20), nullable=False),
        sa.Column(
            "language",
            sa.Enum(
                "en", "es", "de", "fr", "it", name="language", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("seller", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("buyer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("balance_used_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_before_minor", sa.BigInteger(), nullable=False),
        sa.Column("due_minor", sa.BigInteger(), nullable=False),
        sa.Column("to_balance_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "payment_kind",
            sa.Enum(
                "nothing_due",
                "card",
                "invoice",
                name="payment_kind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("payment_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("card", sa.String(length=60), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind <> 'credit_note' or total_minor <= 0", name=op.f("ck_invoices_credit_note_gives")),
        sa.CheckConstraint("kind <> 'invoice' or total_minor >= 0", name=op.f("ck_invoices_invoice_asks")),
        sa.CheckConstraint(
            "due_minor >= 0 and balance_used_minor >= 0 and to_balance_minor >= 0 and paid_before_minor >= 0",
            name=op.f("ck_invoices_settlement_not_negative"),
        ),
        sa.CheckConstraint(
            "sign = -1 or due_minor = total_minor + to_balance_minor - balance_used_minor - paid_before_minor",
            name=op.f("ck_invoices_settlement_adds_up"),
        ),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_invoices_sequence_from_one")),
        sa.CheckConstraint(
            "sign in (1, -1) and (sign = 1 or corrects_id is not null)",
            name=op.f("ck_invoices_only_a_correction_takes_back"),
        ),
        sa.CheckConstraint("total_minor = net_minor + tax_minor", name=op.f("ck_invoices_total_adds_up")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invoices_account_id_accounts")),
        sa.ForeignKeyConstraint(["corrects_id"], ["invoices.id"], name=op.f("fk_invoices_corrects_id_invoices")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_invoices_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("cause", name=op.f("uq_invoices_cause")),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
        sa.UniqueConstraint("series", "year", "sequence", name=op.f("uq_invoices_series_year_sequence")),
    )
    op.create_index(op.f("ix_invoices_account_id"), "invoices", ["account_id"], unique=False)
    op.create_index(op.f("ix_invoices_order_id"), "invoices", ["order_id"], unique=False)
    op.create_table(
        "vat_follow_ups",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "provisional",
                "set_aside",
                name="follow_up_reason",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "confirmed",
                "vat_charged",
                "vat_credited",
                "order_ended",
                name="follow_up_outcome",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column("vat_check_id", sa.Uuid(), nullable=True),
        sa.Column("letter_owed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(outcome is null) = (settled_at is null)", name=op.f("ck_vat_follow_ups_settled_with_an_outcome")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_vat_follow_ups_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["vat_check_id"], ["vat_checks.id"], name=op.f("fk_vat_follow_ups_vat_check_id_vat_checks")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_vat_follow_ups")),
    )
    op.create_index(
        "ix_vat_follow_ups_waiting",
        "vat_follow_ups",
        ["next_at"],
        unique=False,
        postgresql_where="outcome is null or letter_owed",
    )
    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("product_name", sa.String(length=200), nullable=False),
        sa.Column("tier_name", sa.String(length=200), nullable=False),
        sa.Column("from_tier_name", sa.String(length=200), nullable=True),
        sa.Column("from_invoice", sa.String(length=30), nullable=True),
        sa.Column("tax_base_minor", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "action",
            sa.Enum("purchase", "trial", "change", name="action", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("product_code", sa.String(length=60), nullable=False),
        sa.Column("tier_code", sa.String(length=60), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column(
            "interval",
            sa.Enum("month", "year", name="interval", native_enum=False, create_constraint=True, length=40),
            nullable=True,
        ),
        sa.Column("unit_minor", sa.BigInteger(), nullable=False),
        sa.Column("charge_minor", sa.BigInteger(), nullable=False),
        sa.Column("unused_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_rate", sa.Numeric(precision=6, scale=3), nullable=False),
        sa.Column(
            "tax_treatment",
            sa.Enum(
                "domestic",
                "reverse_charge",
                "destination_rate",
                "out_of_scope",
                "invalid_number",
                name="treatment",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("charge_tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("unused_tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("anchor_day", sa.Integer(), nullable=False),
        sa.Column("from_tier", sa.String(length=60), nullable=True),
        sa.Column("from_seats", sa.Integer(), nullable=True),
        sa.Column(
            "from_interval",
            sa.Enum("month", "year", name="from_interval", native_enum=False, create_constraint=True, length=40),
            nullable=True,
        ),
        sa.Column("from_period_id", sa.Uuid(), nullable=True),
        sa.Column("from_charged_minor", sa.BigInteger(), nullable=True),
        sa.Column("from_tax_rate", sa.Numeric(precision=6, scale=3), nullable=True),
        sa.Column("from_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("share_left", sa.BigInteger(), nullable=True),
        sa.Column("share_whole", sa.BigInteger(), nullable=True),
        sa.Column("share_unit", sa.String(length=10), nullable=True),
        sa.CheckConstraint(
            "charge_minor >= 0 and unused_minor >= 0", name=op.f("ck_invoice_lines_amounts_not_negative")
        ),
        sa.CheckConstraint("net_minor = charge_minor - unused_minor", name=op.f("ck_invoice_lines_net_adds_up")),
        sa.CheckConstraint("seats > 0", name=op.f("ck_invoice_lines_seats_positive")),
        sa.CheckConstraint(
            "tax_minor = charge_tax_minor - unused_tax_minor", name=op.f("ck_invoice_lines_tax_adds_up")
        ),
        sa.CheckConstraint("total_minor = net_minor + tax_minor", name=op.f("ck_invoice_lines_total_adds_up")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_lines_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("invoice_id", "position", name=op.f("pk_invoice_lines")),
    )
    op.create_table(
        "receivables",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "paid",
                "cancelled",
                name="receivable_status",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_receivables_amount_positive")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_receivables_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_receivables")),
    )
    op.execute(FUNCTION)
    for table in ("invoices", "invoice_lines"):
        op.execute(
            f"CREATE TRIGGER {table}_are_frozen BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"
            " EXECUTE FUNCTION refuse_change_of_issued()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
            " EXECUTE FUNCTION refuse_change_of_issued()"
        )
    _letters(*LETTERS, "vat_correction")


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM invoices)")):
        raise RevisionRefused(
            "Nothing was changed: there are invoices, which a database before 0002 has no tables for. "
            "Go back to 0002 at the earliest, or restore a backup that is older than the first invoice."
        )
    op.execute("DELETE FROM sent_letters WHERE kind = 'vat_correction'")
    _letters(*LETTERS)
    op.drop_table("receivables")
    op.drop_table("invoice_lines")
    op.drop_index(
        "ix_vat_follow_ups_waiting", table_name="vat_follow_ups", postgresql_where="outcome is null or letter_owed"
    )
    op.drop_table("vat_follow_ups")
    op.drop_index(op.f("ix_invoices_order_id"), table_name="invoices")
    op.drop_index(op.f("ix_invoices_account_id"), table_name="invoices")
    op.drop_table("invoices")
    op.drop_table("invoice_series")
    op.execute("DROP FUNCTION refuse_change_of_issued()")


def _letters(*kinds: str) -> None:
    """Only these kinds of letters may be sent."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_sent_letters_letter_kind"), "sent_letters", type_="check")
    op.create_check_constraint(op.f("ck_sent_letters_letter_kind"), "sent_letters", f"kind in ({listed})")
