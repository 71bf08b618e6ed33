"""Nothing is kept longer than it serves, and nothing that is still to be done is thrown away."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from models.messages import WebhookReceived
from models.orders import Quote, QuoteLine
from models.states import OrderStatus
from tasks import housekeeping as module
from tasks.housekeeping import housekeeping, old_quotes
from tests.support.world import MONTH, World, purchase, trial


@contextmanager
def executed(world: World) -> Iterator[list[str]]:
    """What is sent to the database in the block, but for what begins and ends transactions."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(world.transactions.engine, "before_cursor_execute", note)
    yield statements
    event.remove(world.transactions.engine, "before_cursor_execute", note)


def test_handled_notifications_go_after_thirty_days_and_others_stay(world: World) -> None:
    old, fresh = world.time - timedelta(days=31), world.time - timedelta(days=29)
    with world.begin() as session:
        for event_id, handled_at in (("evt_old", old), ("evt_fresh", fresh), ("evt_waiting", None)):
            session.add(WebhookReceived(id=event_id, type="x", payload=b"{}", received_at=old, handled_at=handled_at))
    assert housekeeping() == 1
    assert sorted(row.id for row in world.rows(WebhookReceived)) == ["evt_fresh", "evt_waiting"]


@pytest.mark.parametrize("old_ones", [1, 2, 3, 4, 5])
def test_old_notifications_are_deleted_a_batch_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch, old_ones: int
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    old = world.time - timedelta(days=31)
    with world.begin() as session:
        for number in range(old_ones):
            session.add(WebhookReceived(id=f"evt_{number}", type="x", payload=b"{}", handled_at=old))
    with executed(world) as statements:
        assert housekeeping() == old_ones
    assert len(statements) == old_ones // 2 + 1
    assert world.rows(WebhookReceived) == []


def test_a_quote_that_nobody_ordered_goes_thirty_days_after_it_expired(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    kept = quote.expires_at + timedelta(days=30)
    world.time = kept
    assert (old_quotes(), len(world.rows(QuoteLine))) == (0, 1)
    world.time = kept + timedelta(seconds=1)
    assert old_quotes() == 1
    assert (world.rows(Quote), world.rows(QuoteLine)) == ([], [])


def test_quotes_that_an_order_names_stay(world: World) -> None:
    """The one it was placed on, and the one it proposes; once that is confirmed, nothing names the first."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.quote(ada, trial("chat"))
    world.reprice("desk", "team", MONTH, 12_00)
    asks = world.run(order_id)
    assert asks.status is OrderStatus.AWAITING_CONFIRMATION
    first, proposed = asks.quote_id, asks.proposed_quote_id
    assert proposed is not None
    before = world.time
    world.time = before + timedelta(days=60)
    assert old_quotes() == 1
    assert {quote.id for quote in world.rows(Quote)} == {first, proposed}
    world.time = before
    world.confirm(order_id, proposed)
    world.time = before + timedelta(days=60)
    assert old_quotes() == 1
    assert [quote.id for quote in world.rows(Quote)] == [proposed]


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_old_quotes_are_deleted_a_batch_at_a_time_beside_those_that_stay(
    world: World, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    ada, ben = world.customer(), world.customer()
    for _ in range(2):
        world.quote(ada, purchase())
    world.place(ada, purchase())
    world.pass_time(days=1)
    world.place(ben, purchase())
    world.quote(ben, trial("chat"))
    world.pass_time(days=60)
    world.quote(ada, trial("chat"))
    assert old_quotes() == 3
    assert len(world.rows(Quote)) == 3
