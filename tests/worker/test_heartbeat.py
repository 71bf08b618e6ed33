"""That somebody takes from a queue is known by any of its messages, as a heartbeat waits behind all others, and expires there."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from celery import signals
from sqlalchemy import create_engine, update

from models.messages import Heartbeat
from models.states import Step
from tasks import pipeline, wiring
from tasks.running import outages
from tests.support.world import World
from worker import heartbeat
from worker.database import Transactions


@pytest.fixture(autouse=True)
def in_a_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That has only just started."""
    monkeypatch.setattr(heartbeat, "_noted", {})
    monkeypatch.setattr(outages, "_failing", set())
    signals.task_prerun.connect(heartbeat.taken)
    yield
    signals.task_prerun.disconnect(heartbeat.taken)


def take_from(queue: str, step: Step = Step.VALIDATE_CART) -> str:
    state: str = getattr(pipeline, step).apply((str(uuid4()),), routing_key=queue).state
    return state


def beats(world: World) -> dict[str, datetime]:
    return {row.name: row.at for row in world.rows(Heartbeat)}


@pytest.mark.parametrize("queue", ["orders", "payments"])
def test_an_order_that_is_taken_tells_that_somebody_takes_from_its_queue(world: World, queue: str) -> None:
    assert take_from(queue) == "SUCCESS"
    assert list(beats(world)) == [f"queue {queue}"]


def test_a_queue_that_is_not_ours_has_no_row(world: World) -> None:
    take_from("somebody's")
    assert beats(world) == {}


def test_of_many_orders_few_are_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    take_from("orders")
    with world.begin() as session:
        session.execute(update(Heartbeat).values(at=Heartbeat.at - timedelta(hours=1)))
    first = beats(world)
    take_from("orders")
    assert beats(world) == first
    monkeypatch.setattr(heartbeat, "EVERY", 0.0)
    take_from("orders")
    assert beats(world)["queue orders"] > first["queue orders"]


def test_without_a_database_the_step_itself_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere")
    wiring.plug_in(replace(world.wiring, begin=Transactions(away)))
    take_from("orders")
    wiring.plug_in(world.wiring)
    assert [record for record in caplog.records if record.name.startswith("celery.utils.dispatch")] == []
