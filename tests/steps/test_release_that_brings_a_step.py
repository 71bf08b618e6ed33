"""A step comes in two releases: processes of the first one do not bring orders to it, but do it where one of the second has."""

import pytest

from models import states
from models.states import OrderStatus, Step
from tests.support.in_one_process import Events, Messages, delivered, everything_stays_here, told
from tests.support.world import World, purchase

NEW = Step.SEND_CONFIRMATION_EMAIL
"""as if it were"""


@pytest.fixture
def first_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "NOT_ENTERED_YET", (NEW,))


def test_it_brings_no_order_to_the_step(world: World, first_release: None) -> None:
    order = world.buy(world.customer(), purchase())
    assert (order.status, world.letters(order.id)) == (OrderStatus.COMPLETED, ["seat_prompt"])
    assert f"{NEW}.done" not in world.timeline(order.id)


def test_nor_does_a_process_that_goes_from_step_to_step(world: World, first_release: None, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert (world.order(order_id).status, world.letters(order_id)) == (OrderStatus.COMPLETED, ["seat_prompt"])
    assert NEW not in told(events, "task-succeeded")


@pytest.mark.parametrize("sent_on", [True, False], ids=["by message", "in one process"])
def test_it_does_the_step_of_an_order_that_the_next_release_has_brought_to_it(
    world: World, events: Events, messages: Messages, request: pytest.FixtureRequest, sent_on: bool
) -> None:
    if sent_on:
        everything_stays_here(events, but=frozenset({Step.PROMPT_SEAT_ASSIGNMENT}))
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=NEW)
    request.getfixturevalue("first_release")
    assert delivered(order_id, NEW) == "done"
    assert world.letters(order_id) == (["confirmation"] if sent_on else ["confirmation", "seat_prompt"])
    assert messages.take() == ([("prompt_seat_assignment", 0)] if sent_on else [])
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_its_late_message_of_an_earlier_step_leaves_the_order_to_others(
    world: World, request: pytest.FixtureRequest
) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=NEW)
    request.getfixturevalue("first_release")
    assert world.deliver(order_id, Step.ACTIVATE_SUBSCRIPTION) == "held_by_another"
    assert (world.order(order_id).next_step, world.letters(order_id)) == (NEW, [])
