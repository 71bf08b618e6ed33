"""A line that is logged during a step names the order, also an adapter's, which knows of none."""

import logging

import pytest
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs

from models.messages import SentLetter
from tests.support.world import World, purchase


class Bound(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """As `worker.logs` writes the line: with what is bound at that moment."""
        self.seen.append((record.getMessage().partition(" message_id")[0], get_contextvars().get("order_id")))


def test_a_letter_that_is_tried_again_is_logged_with_its_order(world: World, caplog: pytest.LogCaptureFixture) -> None:
    adapter, bound = logging.getLogger("worker.adapters.smtp"), Bound()
    caplog.set_level(logging.INFO, adapter.name)
    adapter.addHandler(bound)
    ada = world.customer()
    world.mailbox.fail("drop", recipient=ada.email, times=1)
    try:
        order = world.buy(ada, purchase())
    finally:
        adapter.removeHandler(bound)
    assert bound.seen == [("email tried again", str(order.id))]
    assert "order_id" not in get_contextvars()


def test_each_letter_that_is_handed_over_is_logged_with_its_order_and_its_message_id(world: World) -> None:
    with capture_logs(processors=[merge_contextvars]) as said:
        order = world.buy(world.customer(), purchase())
    handed_over = [line for line in said if line["event"] == "email handed over"]
    assert [line["order_id"] for line in handed_over] == [str(order.id)] * 2
    sent = world.rows(SentLetter, order_id=order.id)
    assert sorted(line["message_id"] for line in handed_over) == sorted(letter.message_id for letter in sent)
