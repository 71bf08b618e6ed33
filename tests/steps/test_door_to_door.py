"""A purchase from quote to completion, and each step delivered again."""

import threading
from uuid import UUID

import pytest

from models.states import FORWARD, OrderStatus, Step
from tests.support.world import World, purchase


def test_a_purchase_goes_from_door_to_door(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk", "team", seats=10))
    assert order.status is OrderStatus.COMPLETED
    assert (order.net_minor, order.tax_minor, order.due_minor) == (100_00, 19_00, 119_00)
    assert world.charged(ada) == [119_00]
    assert world.letters(order.id) == ["confirmation", "seat_prompt"]
    assert len(world.mails(ada)) == 2
    subscription = world.subscription(ada, "desk")
    assert (subscription.tier_code, subscription.seats, subscription.status) == ("team", 10, "active")
    assert subscription.period_start == world.time


@pytest.mark.parametrize("step", FORWARD)
def test_a_step_delivered_twice_changes_nothing_more(world: World, step: Step) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=step)
    first = world.deliver(order_id, step)
    timeline = world.timeline(order_id)
    again = world.deliver(order_id, step)
    assert (first, again) == ("done", "not_open" if step is FORWARD[-1] else "already_done")
    assert world.timeline(order_id) == timeline
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
    assert len(world.mails(ada)) == 2


@pytest.mark.parametrize("step", FORWARD)
def test_a_step_delivered_four_times_at_once_does_its_work_once(world: World, step: Step) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=step)
    outcomes = at_once(world, step, order_id, times=4)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "already_done", "held_by_another", "not_open"}
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
    assert len(world.mails(ada)) == 2


def at_once(world: World, step: Step, order_id: UUID, *, times: int) -> list[str]:
    outcomes: list[str] = []
    start = threading.Barrier(times)

    def deliver() -> None:
        start.wait()
        outcomes.append(world.deliver(order_id, step))

    threads = [threading.Thread(target=deliver) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
