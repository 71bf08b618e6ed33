"""So many orders that PostgreSQL weighs its ways to find some of them."""

from typing import Any

from sqlalchemy import event, text

from tests.support.world import World

COPIES = 3_000


def copy_completed_orders(world: World) -> None:
    """Add copies of the orders there are, all of them completed, and let PostgreSQL know its tables."""
    copied = text("""
        insert into orders overriding system value
        select (jsonb_populate_record(original, jsonb_build_object(
            'id', gen_random_uuid(), 'number', original.number + 1000 * copy, 'quote_id', gen_random_uuid(),
            'idempotency_key', copy || original.idempotency_key, 'status', 'completed', 'next_step', null,
            'wake_at', null, 'lease_token', null, 'lease_until', null, 'reason_facts', null
        ))).*
        from orders original, generate_series(1, :copies) copy
    """)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # they have no quotes, which nobody reads
        session.execute(copied, {"copies": COPIES})
        session.execute(text("analyze"))


class Plans:
    """With it, notes PostgreSQL's plan for each query of `table` that is asked in the block."""

    def __init__(self, world: World, table: str) -> None:
        self._engine = world.transactions._engine
        self._table = table
        self.noted: list[str] = []

    def __enter__(self) -> "Plans":
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and f"FROM {self._table}" in statement:
            lines = connection.connection.execute(f"explain {statement}", parameters, prepare=False).fetchall()
            self.noted.append("\n".join(line for (line,) in lines))
