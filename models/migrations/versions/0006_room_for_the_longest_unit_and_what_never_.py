"""Room for the longest unit in which a share of a period is counted; what never changes is refused"""

import sqlalchemy as sa
from alembic import op

from models.migrations import RevisionRefused

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PRICED_LINES = ("quote_lines", "order_lines", "invoice_lines")

FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % on % refused; %', TG_ARGV[0], TG_OP, TG_TABLE_NAME, TG_ARGV[1]
        USING ERRCODE = 'restrict_violation';
END
$$
"""
MOVEMENTS = "refuse_change('the ledger is only ever added to', 'put it right by another movement')"
CURRENCY = "refuse_change('the currency of an account never changes', 'open another account')"


def upgrade() -> None:
    for table in PRICED_LINES:
        op.alter_column(table, "share_unit", type_=sa.String(length=20))
    op.execute(FUNCTION)
    op.execute(
        "CREATE TRIGGER ledger_movements_are_frozen BEFORE UPDATE OR DELETE ON ledger_movements FOR EACH ROW"
        f" EXECUTE FUNCTION {MOVEMENTS}"
    )
    op.execute(
        "CREATE TRIGGER ledger_movements_are_kept BEFORE TRUNCATE ON ledger_movements FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {MOVEMENTS}"
    )
    op.execute(
        "CREATE TRIGGER accounts_keep_their_currency BEFORE UPDATE OF currency ON accounts FOR EACH ROW"
        f" WHEN (OLD.currency IS DISTINCT FROM NEW.currency) EXECUTE FUNCTION {CURRENCY}"
    )


def downgrade() -> None:
    for table in PRICED_LINES:
        if op.get_bind().scalar(sa.text(f"SELECT EXISTS (SELECT FROM {table} WHERE length(share_unit) > 10)")):  # noqa: S608
            raise RevisionRefused(
                f"Nothing was changed: {table} holds shares of a period in microseconds, for which there is no room before 0006. "
                "Go back to 0006 at the earliest, or restore a backup that is older than these lines."
            )
    op.execute("DROP TRIGGER accounts_keep_their_currency ON accounts")
    op.execute("DROP TRIGGER ledger_movements_are_kept ON ledger_movements")
    op.execute("DROP TRIGGER ledger_movements_are_frozen ON ledger_movements")
    op.execute("DROP FUNCTION refuse_change()")
    for table in PRICED_LINES:
        op.alter_column(table, "share_unit", type_=sa.String(length=10))
