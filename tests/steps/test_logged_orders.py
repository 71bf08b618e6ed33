"""A line that an adapter logs during a step names the order, though the adapter knows of none."""

import logging

import pytest
from structlog.contextvars import get_contextvars

from tests.support.world import World, purchase


class Bound(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """As `worker.logs` writes the line: with what is bound at that moment."""
        self.seen.append((record.getMessage().partition(" message_id")[0], get_contextvars().get("order_id")))


def test_a_letter_that_is_handed_over_is_logged_with_its_order(world: World, caplog: pytest.LogCaptureFixture) -> None:
    adapter, bound = logging.getLogger("worker.adapters.smtp"), Bound()
    caplog.set_level(logging.INFO, adapter.name)
    adapter.addHandler(bound)
    try:
        order = world.buy(world.customer(), purchase())
    finally:
        adapter.removeHandler(bound)
    assert bound.seen == [("email handed over", str(order.id))] * 2
    assert "order_id" not in get_contextvars()
