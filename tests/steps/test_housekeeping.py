"""Nothing is kept longer than it serves, and nothing that is still to be done is thrown away."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from models.messages import WebhookReceived
from tasks import housekeeping as module
from tasks.housekeeping import housekeeping
from tests.support.world import World


@contextmanager
def executed(world: World) -> Iterator[list[str]]:
    """What is sent to the database in the block, but for what begins and ends transactions."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(world.transactions._engine, "before_cursor_execute", note)
    yield statements
    event.remove(world.transactions._engine, "before_cursor_execute", note)


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
