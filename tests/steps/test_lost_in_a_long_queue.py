"""While queues are long, orders are taken to wait in them; one that was lost with its queue is published again all the same."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import current_app
from sqlalchemy import delete, update

from models.messages import OutboxMessage
from models.orders import OrderEvent
from models.states import Step
from tasks import sweep
from tests.support.world import World, purchase


@pytest.fixture
def long_queue() -> Iterator[None]:
    with current_app.connection_for_read() as connection:
        broker = connection.channel().client
        broker.rpush("payments", *["waiting"] * (sweep.BACKLOG + 1))
        yield
        broker.delete("payments")


@pytest.mark.parametrize(("silent_for", "restarted"), [(timedelta(), 0), (sweep.LONGEST_QUEUE, 1)])
def test_an_order_lost_in_a_long_queue_is_published_again_after_a_while(
    world: World, long_queue: None, silent_for: timedelta, restarted: int
) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(delete(OutboxMessage))
        session.execute(update(OrderEvent).values(at=OrderEvent.at - silent_for))
    world.let_waits_run_out(order_id)
    assert sweep.sweep() == restarted
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)] * restarted
