"""A step fails, and PostgreSQL is away at the moment when that is to be recorded: the step is delivered again after the delay that was meant."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import create_engine

from models.states import OrderStatus, Step
from tasks import wiring
from tasks.ports import UNDER_WAY
from tests.support.in_one_process import Events, Messages, delivered, told
from tests.support.payment import CREATE
from tests.support.places import at
from tests.support.world import World, purchase
from worker.database import Transactions

AWAY = Transactions(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere"))


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ("unavailable", 0.8),
        ("connection_reset", 0.8),
        ("server_error", UNDER_WAY.total_seconds()),
        ("an unknown API key", 0.8),
        ("a mistake of ours", 16 * 0.8),
    ],
)
def test_a_step_whose_trouble_cannot_be_recorded_is_delivered_again_when_it_would_have_been(
    world: World, events: Events, messages: Messages, fault: str, waits: float
) -> None:
    payments: dict[str, Any] = {
        "an unknown API key": world.stripe.payments(api_key="sk_test_unknown"),
        "a mistake of ours": None,
    }
    if fault not in payments:
        world.stripe.fail(fault, CREATE)
    troubled = replace(world.wiring, begin=AWAY, payments=payments.get(fault, world.wiring.payments))
    order_id = world.place(world.customer(), purchase())
    with at("collect_payment.calling", lambda: wiring.plug_in(troubled)):
        assert delivered(order_id, Step.VALIDATE_CART) == "done"
    wiring.plug_in(world.wiring)
    assert (told(events, "task-failed"), told(events, "task-retried")) == ([], ["collect_payment"])
    [(task, retries, seconds)] = messages.take_delayed()
    assert (task, retries) == ("collect_payment", 1)
    assert seconds > waits - 0.5
    order = world.order(order_id)
    assert (order.status, order.last_error) == (OrderStatus.OPEN, None)
