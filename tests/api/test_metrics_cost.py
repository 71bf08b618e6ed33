"""What a scrape costs does not grow with the years, nor do the indexes that see to it cost an order on its way."""

import re
from typing import Any

from sqlalchemy import event, text

from models.states import FINAL, OrderStatus
from tests.api.conftest import Api, purchase
from tests.support.world import Customer, World

GROW = {
    "orders",
    "order_events",
    "sent_letters",
    "webhooks_received",
    "quotes",
    "receivables",
    "support_cases",
    "charge_attempts",
    "vat_follow_ups",
    "outbox",
}


def test_a_scrape_reads_indexes_only_of_what_it_counts(world: World, api: Api) -> None:
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    engine = world.transactions.engine
    event.listen(engine, "before_cursor_execute", note)
    assert api.get("/metrics").status_code == 200
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        connection.execute(text("set enable_seqscan = off"))
        plans = [connection.exec_driver_sql(f"explain {asked}", known).scalars().all() for asked, known in sent]
    plan = "\n".join(line for lines in plans for line in lines)
    assert not set(re.findall(r"Seq Scan on (\w+)", plan)) & GROW, plan
    used = {
        name
        for name in re.findall(r"(?:Scan(?: Backward)? using|Index Scan on) (\w+)", plan)
        if not name.startswith(("pk_", "alembic_version"))
    }
    assert used == {
        "ix_orders_not_ended",
        "ix_letters_refused",
        "ix_webhooks_to_try",
        "ix_webhooks_handled",
        "ix_receivables_open",
        "one_open_case_per_wish",
        "ix_vat_follow_ups_waiting",
    }, plan


def test_orders_that_have_ended_are_not_counted(world: World, api: Api, ada: Customer) -> None:
    api.order(ada, purchase())
    told = re.findall(r'prorata_orders\{status="(\w+)"\} (\S+)', api.get("/metrics").text)
    assert dict(told) == {s.value: "0.0" for s in OrderStatus if s not in FINAL} | {"open": "1.0"}


def test_what_a_step_or_a_letter_writes_is_in_no_index(world: World) -> None:
    """PostgreSQL writes a new version of a row beside the old one (HOT) only while no column of an index changes, or of its condition.

    `reason_facts` change only where `status` does.
    """
    query = text("""
        select distinct attname from pg_index join pg_attribute on attrelid = indrelid and (attnum = any(indkey) or attnum in (
            select refobjsubid from pg_depend where objid = indexrelid and refobjid = indrelid
        )) where indrelid = cast(:table as regclass)
    """)
    with world.begin() as session:
        orders, letters = (set(session.scalars(query, {"table": name})) for name in ("orders", "sent_letters"))
    never_changed = {"id", "number", "account_id", "api_key_id", "idempotency_key", "created_at"}
    assert orders == never_changed | {"status", "reason_facts", "wake_at", "quote_id", "proposed_quote_id"}
    assert letters == {"order_id", "kind", "message_id"}
