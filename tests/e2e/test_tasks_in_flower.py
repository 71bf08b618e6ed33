"""What Flower is told: an order goes its way in one process, and each step is a task all the same.

Read off Celery's own picture of a cluster, `celery.events.state.State`, which is what Flower draws.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery
from celery.events.receiver import EventReceiver
from celery.events.state import State, Task
from redis import Redis

from models.states import FORWARD, OrderStatus
from tests.support.messages import eventually
from tests.support.shopping import bought
from worker.drill.ground import Ground, ground
from worker.drill.kinds import KINDS

SLOW = 2.0
"""seconds that the bank takes, and no other step"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("ground"), say=print) as made:
        yield made


@pytest.mark.timeout(900)
def test_each_step_of_an_order_is_a_task_in_flower(prepared: Ground) -> None:
    with watched(prepared.stack.redis.url) as cluster:
        [order] = bought(prepared, [KINDS[0]], named="watched")
        told = eventually_told(cluster, str(order.order_id))
    assert order.status is OrderStatus.COMPLETED
    assert [task.name for task in told] == [step.value for step in FORWARD]
    assert {(task.state, task.result) for task in told} == {("SUCCESS", "'done'")}
    assert {task.root_id for task in told} == {told[0].uuid}
    assert all(task.runtime > 0 and task.worker.hostname.startswith("all-") for task in told)


@pytest.mark.timeout(900)
def test_a_slow_bank_is_slow_in_the_step_that_asks_it(prepared: Ground) -> None:
    said: Counter[tuple[str, str]] = Counter()
    with watched(prepared.stack.redis.url, said) as cluster:
        prepared.stripe("latency", seconds=SLOW)
        [order] = bought(prepared, [KINDS[0]], named="slow")
        told = eventually_told(cluster, str(order.order_id))
    prepared.calm_stand_ins()
    took = {task.name: task.runtime for task in told}
    assert [name for name, seconds in took.items() if seconds > SLOW] == ["collect_payment"]
    assert told[0].succeeded < told[2].succeeded - SLOW
    ends = ("task-received", "task-started", "task-succeeded", "task-retried", "task-failed")
    assert [[said[task.uuid, kind] for kind in ends] for task in told] == [[1, 1, 1, 0, 0]] * len(FORWARD)


class Watcher(EventReceiver):  # type: ignore[misc]
    """Looks whether it is to stop every second, whatever else arrives."""

    over = threading.Event()

    @property
    def should_stop(self) -> bool:
        return self.over.is_set()


@contextmanager
def watched(broker_url: str, said: Counter[tuple[str, str]] | None = None) -> Iterator[State]:
    """The cluster as its workers' events tell it, as long as this lasts. Redis keeps no event for who listens later: from the beginning
    to the end it is listened to, on one connection. said: counts events by task and type."""
    count: Counter[tuple[str, str]] = Counter() if said is None else said
    # Told at the start: whoever sets it after the first event is never called.
    cluster = State(callback=lambda _, event: count.update([(event.get("uuid", ""), event["type"])]))
    app, over = Celery(broker=broker_url, set_as_current=False), threading.Event()

    def watch() -> None:
        with app.connection_for_read() as connection:
            receiver = Watcher(connection, handlers={"*": cluster.event}, app=app)
            receiver.over = over
            receiver.capture(limit=None, timeout=None, wakeup=False)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with Redis.from_url(broker_url) as broker:
            assert eventually(lambda: broker.pubsub_numpat() > 0)
        yield cluster
    finally:
        over.set()
        thread.join()


def eventually_told(cluster: State, order_id: str) -> list[Task]:
    """The order's tasks in the order of their beginning, once all have ended."""
    give_up_at = time.monotonic() + 240
    while True:
        mine = [task for task in list(cluster.tasks.values()) if order_id in (task.args or "")]
        if sum(task.state == "SUCCESS" for task in mine) >= len(FORWARD) or time.monotonic() > give_up_at:
            return sorted(mine, key=lambda task: task.started or 0)
        threading.Event().wait(0.1)
