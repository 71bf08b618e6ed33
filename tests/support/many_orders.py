"""So many orders that PostgreSQL weighs its ways to find some of them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from tests.support.world import Customer, World

COPIES = 3_000


def copy_completed_orders(world: World, of: Customer) -> None:
    """Add copies of the customer's orders, all of them completed, and let PostgreSQL know its tables."""
    _copy_orders(world, of, "completed", wake_in=None)


def copy_waiting_orders(world: World, of: Customer) -> None:
    """The same, but all of them wait for the customer, for a week."""
    _copy_orders(world, of, "awaiting_payment_details", wake_in=timedelta(days=7))


def _copy_orders(world: World, of: Customer, status: str, *, wake_in: timedelta | None) -> None:
    copied = text("""
        insert into orders overriding system value
        select (jsonb_populate_record(original, jsonb_build_object(
            'id', gen_random_uuid(), 'number', original.number + 1000 * copy, 'quote_id', gen_random_uuid(),
            'idempotency_key', copy || original.idempotency_key, 'status', cast(:status as text), 'next_step', null,
            'wake_at', clock_timestamp() + cast(:wake_in as interval), 'lease_token', null, 'lease_until', null,
            'reason_facts', null
        ))).*
        from orders original, generate_series(1, :copies) copy where original.account_id = :account_id
    """)
    values = {"copies": COPIES, "account_id": of.account_id, "status": status, "wake_in": wake_in}
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # they have no quotes, which nobody reads
        session.execute(copied, values)
        session.execute(text("analyze"))


def charge_copies(world: World, *, status: str) -> None:
    """Add to each copy a charge, `pi_1` and so on, and let PostgreSQL know their table."""
    charges = text("""
        insert into charge_attempts (order_id, attempt, key, amount_minor, currency, payment_method_id, status, ref, settled_at)
        select id, 2, 'key' || n, 1, 'EUR', id, :status, 'pi_' || n, clock_timestamp()
        from (select id, row_number() over () as n from orders where number > 2000) copies
    """)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # no card is behind them
        session.execute(charges, {"status": status})
        session.execute(text("analyze charge_attempts"))


class Plans:
    """With it, notes PostgreSQL's plan for each query of `tables` that is asked in the block, if it can use an index."""

    def __init__(self, world: World, *tables: str) -> None:
        self._engine = world.transactions.engine
        self._tables = tables
        self.noted: list[str] = []

    def __enter__(self) -> "Plans":
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if any(f"FROM {table}" in statement for table in self._tables):
            driver = connection.connection
            driver.execute("set local enable_seqscan = off")
            lines = driver.execute(f"explain {statement}", parameters, prepare=False).fetchall()
            driver.execute("set local enable_seqscan = on")
            self.noted.append("\n".join(line for (line,) in lines))
