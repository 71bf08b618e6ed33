"""What is read for one notification grows neither with those that wait nor with the charges there are."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text

from tasks.charges import webhooks
from tests.support.many_orders import COPIES, charge_copies, copy_completed_orders
from tests.support.world import World, purchase


def fill(world: World, *, untried: int, taken: bool = True) -> None:
    """`COPIES` notifications whose next try is tomorrow, and `untried` that were never tried, each about a charge of its own, recorded as `taken` or not."""
    ada = world.customer()
    world.buy(ada, purchase())
    copy_completed_orders(world, ada)
    charge_copies(world, status="succeeded" if taken else "pending")
    events = text("""
        insert into webhooks_received (id, type, charge_ref, payload, received_at, next_attempt_at)
        select 'evt_' || n, case when n > :untried then 'charge.refunded' else 'payment_intent.succeeded' end, 'pi_' || n, '',
            clock_timestamp() - interval '1 hour', case when n > :untried then cast(:tomorrow as timestamptz) end
        from generate_series(1, :untried + :later) n
    """)
    values = {"untried": untried, "later": COPIES, "tomorrow": world.time + timedelta(days=1)}
    with world.begin() as session:
        session.execute(events, values)
    with world.transactions.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze webhooks_received, charge_attempts"))


def plans(world: World, work: Callable[[], object]) -> list[str]:
    """How PostgreSQL executes each statement by which `work` looks for waiting notifications."""
    noted = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "ORDER BY" in statement and "webhooks_received" in statement:
            driver = connection.connection
            driver.execute("savepoint before")
            lines = driver.execute(f"explain (analyze, buffers) {statement}", parameters, prepare=False).fetchall()
            driver.execute("rollback to savepoint before")
            noted.append("\n".join(line for (line,) in lines))

    engine = world.transactions.engine
    event.listen(engine, "before_cursor_execute", explain)
    work()
    event.remove(engine, "before_cursor_execute", explain)
    return noted


def pages(plan: str) -> int:
    """Of all tables and indexes together, as the first line about them says."""
    told = re.search(r"Buffers: (.+)", plan)
    return sum(int(number) for number in re.findall(r"(?:hit|read)=(\d+)", told[1] if told else ""))


def test_taking_one_reads_a_few_pages_however_many_wait(world: World) -> None:
    fill(world, untried=COPIES, taken=False)
    [plan] = plans(world, webhooks.take_next)
    assert pages(plan) < 20, plan
    assert "hashed" not in plan, plan


def test_finding_that_none_is_due_reads_a_few_pages_however_many_wait(world: World) -> None:
    fill(world, untried=0)
    for plan in plans(world, webhooks.take_next):
        assert pages(plan) < 20, plan


def test_those_without_news_are_looked_for_among_the_next_only(world: World) -> None:
    fill(world, untried=0)
    [plan] = plans(world, webhooks.handle_webhooks)[:1]
    assert re.search(r"Limit .+\(actual .+rows=1000 ", plan), plan
    assert "Seq Scan" not in plan, plan


def test_all_without_news_that_are_next_are_closed_by_one_run(world: World) -> None:
    fill(world, untried=2_500)
    assert webhooks.handle_webhooks() == 2_500
