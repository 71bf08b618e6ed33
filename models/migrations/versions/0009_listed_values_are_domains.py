"""What a column of listed values takes is said by a domain, which PostgreSQL reads once and not at each INSERT and UPDATE"""

from collections.abc import Iterator

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VALUES = {
    "account_kind": "self_serve corporate",
    "action": "purchase trial change",
    "attempt_status": "pending requires_action processing succeeded declined canceled void",
    "billing_interval": "month year",
    "buyer_type": "business consumer",
    "follow_up_outcome": "confirmed vat_charged vat_credited order_ended",
    "follow_up_reason": "provisional set_aside",
    "invoice_kind": "invoice credit_note",
    "invoice_reason": "order refund vat_number_invalid vat_number_confirmed",
    "language": "en es de fr it",
    "letter_kind": "confirmation trial_welcome seat_prompt refund_notice vat_correction",
    "letter_status": "sending sent undeliverable",
    "movement_kind": "reserved released credited granted",
    "order_status": "open awaiting_payment_details payment_declined awaiting_authentication awaiting_confirmation needs_attention completed rejected cancelled refunded",
    "payment_kind": "nothing_due card invoice",
    "payment_method_status": "usable declined replaced",
    "receivable_status": "open paid cancelled",
    "refund_state": "pending succeeded failed",
    "rejected_because": "unknown_task malformed killed_its_worker",
    "step": "validate_cart compute_proration collect_payment activate_subscription send_confirmation_email prompt_seat_assignment refund_payment send_refund_notice",
    "subscription_status": "trialing trial_ended active ended",
    "treatment": "domestic reverse_charge destination_rate out_of_scope invalid_number",
    "vat_check_status": "valid invalid unavailable",
}
COLUMNS = {
    "account_kind": ["accounts.kind"],
    "action": ["cart_items.action", "invoice_lines.action", "order_lines.action", "quote_lines.action"],
    "attempt_status": ["charge_attempts.status"],
    "billing_interval": [
        "cart_items.interval",
        "invoice_lines.interval",
        "invoice_lines.from_interval",
        "order_lines.interval",
        "order_lines.from_interval",
        "prices.interval",
        "quote_lines.interval",
        "quote_lines.from_interval",
        "subscription_periods.interval",
        "subscriptions.interval",
    ],
    "buyer_type": ["accounts.buyer_type"],
    "follow_up_outcome": ["vat_follow_ups.outcome"],
    "follow_up_reason": ["vat_follow_ups.reason"],
    "invoice_kind": ["invoices.kind"],
    "invoice_reason": ["invoices.reason"],
    "language": ["accounts.language", "invoices.language", "orders.language"],
    "letter_kind": ["sent_letters.kind"],
    "letter_status": ["sent_letters.status"],
    "movement_kind": ["ledger_movements.kind"],
    "order_status": ["orders.status"],
    "payment_kind": ["invoices.payment_kind", "orders.payment_kind"],
    "payment_method_status": ["payment_methods.status"],
    "receivable_status": ["receivables.status"],
    "refund_state": ["refund_attempts.status"],
    "rejected_because": ["rejected_messages.because"],
    "step": ["order_steps.step", "orders.next_step", "outbox.step"],
    "subscription_status": ["subscriptions.status"],
    "treatment": [
        "invoice_lines.tax_treatment",
        "order_lines.tax_treatment",
        "quote_lines.tax_treatment",
        "subscription_periods.tax_treatment",
    ],
    "vat_check_status": ["vat_checks.status"],
}
CONSTRAINTS = {"billing_interval": "interval"}
"""what the columns' constraints were named after, where that is neither the domain nor the column"""

ACROSS = {
    ("orders", "ck_orders_open_orders_have_a_next_step"): (
        "(status in ('open', 'needs_attention')) = (next_step is not null)",
        "(status = 'open' or status = 'needs_attention') = (next_step is not null)",
    ),
    ("subscriptions", "ck_subscriptions_trial_has_no_interval"): (
        "(status in ('trialing', 'trial_ended')) = (interval is null)",
        "(status = 'trialing' or status = 'trial_ended') = (interval is null)",
    ),
}
"""constraints across two columns, before and after; rewritten because an IN list takes PostgreSQL longer to parse"""

ONE_LIVE_CHARGE = (
    "CREATE UNIQUE INDEX one_live_charge ON charge_attempts (order_id)"
    " WHERE status NOT IN ('declined', 'canceled', 'void')"
)


def upgrade() -> None:
    """Change the columns' types first and add the domains' constraints after: tables are then only scanned, not rewritten."""
    _lock_tables()
    for table, constraint in ACROSS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    op.execute("DROP INDEX one_live_charge")
    for domain, listed in VALUES.items():
        op.execute(f"CREATE DOMAIN {domain} AS varchar(40)")
        for table, column, constraint in _columns(domain):
            op.execute(f'ALTER TABLE {table} DROP CONSTRAINT {constraint}, ALTER COLUMN "{column}" TYPE {domain}')
        op.execute(f"ALTER DOMAIN {domain} ADD CONSTRAINT ck_{domain} CHECK (VALUE IN ({_quoted(listed)}))")
    for (table, constraint), (_, after) in ACROSS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({after})")
    op.execute(ONE_LIVE_CHARGE)


def downgrade() -> None:
    _lock_tables()
    # The previous release does not know this key and fails on it.
    op.execute("UPDATE quotes SET sold_to = sold_to - 'timezone' WHERE sold_to ? 'timezone'")
    op.execute("UPDATE orders SET sold_to = sold_to - 'timezone' WHERE sold_to ? 'timezone'")
    for table, constraint in ACROSS:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    op.execute("DROP INDEX one_live_charge")
    for domain, listed in VALUES.items():
        for table, column, constraint in _columns(domain):
            op.execute(
                f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE varchar(40),'
                f' ADD CONSTRAINT {constraint} CHECK ("{column}" IN ({_quoted(listed)}))'
            )
        op.execute(f"DROP DOMAIN {domain}")
    for (table, constraint), (before, _) in ACROSS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({before})")
    op.execute(ONE_LIVE_CHARGE)


def _lock_tables() -> None:
    """Lock them before anything is done, so that nothing has to be done again where another holds one of them."""
    op.execute(f"LOCK TABLE {', '.join(_tables())}")


def _tables() -> list[str]:
    return sorted({table for domain in COLUMNS for table, _, _ in _columns(domain)})


def _columns(domain: str) -> Iterator[tuple[str, str, str]]:
    """Table, column, and the constraint that it had."""
    for each in COLUMNS[domain]:
        table, column = each.split(".")
        kind = column if column == "from_interval" else CONSTRAINTS.get(domain, domain)
        yield table, column, f"ck_{table}_{kind}"


def _quoted(listed: str) -> str:
    return ", ".join(f"'{value}'" for value in listed.split())
