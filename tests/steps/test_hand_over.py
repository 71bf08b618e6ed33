"""From step to step in one process: a task for each that Flower shows, one delivery."""

from typing import Any
from uuid import uuid4

import pytest
from celery import Task

from models.states import BACK, FORWARD, OrderStatus, Step
from tasks.collect_payment import collect_payment
from tasks.running import retry_policy
from tasks.validate_cart import validate_cart
from tests.support.in_one_process import Events, Messages, delivered, everything_stays_here, told, told_of
from tests.support.world import World, purchase


def test_one_delivery_carries_an_order_all_the_way(world: World, events: Events, messages: Messages) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
    assert messages.take() == []


def test_each_step_after_the_first_is_shown_as_a_task_of_its_own(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    names = [step.value for step in FORWARD[1:]]
    assert [told(events, kind) for kind in ("task-received", "task-started", "task-succeeded")] == [names] * 3
    assert all(fields["result"] == "'done'" for event, fields in events if event == "task-succeeded")
    assert {fields["args"] for event, fields in events if event == "task-received"} == {f"('{order_id}',)"}


def test_the_delivered_step_is_shown_as_done_before_the_next_one_begins(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART, task_id="delivery")
    (first, its_end), (second, next_one) = events[:2]
    assert (first, its_end["uuid"], its_end["result"]) == ("task-succeeded", "delivery", "'done'")
    assert (second, next_one["name"], next_one["parent_id"]) == ("task-received", "compute_proration", "delivery")
    assert told_of("delivery", events) == ["task-succeeded"]


def test_a_step_whose_delivery_is_a_retry_is_shown_as_done_once_and_before_the_next_ones(
    world: World, events: Events
) -> None:
    order_id = world.place(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.create")
    delivered(order_id, Step.VALIDATE_CART, task_id="first")
    world.stripe.calm()
    [retried] = [fields["uuid"] for event, fields in events if event == "task-retried"]
    world.let_waits_run_out(order_id)
    events.clear()
    assert delivered(order_id, Step.COLLECT_PAYMENT, task_id=retried) == "done"
    assert told_of(retried, events) == ["task-succeeded"]
    assert told(events, "task-succeeded") == [step.value for step in FORWARD[3:]]


def test_a_delivered_step_that_nothing_follows_here_is_left_for_celery_to_show(world: World, events: Events) -> None:
    everything_stays_here(events, but=frozenset({Step.COMPUTE_PRORATION}))
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART, task_id="delivery")
    assert events == []


def test_each_step_is_recorded_as_its_own_first_try(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert [kind for kind in world.timeline(order_id) if kind.endswith(".done")] == [f"{s}.done" for s in FORWARD[:-1]]
    order = world.order(order_id)
    assert (order.lease_token, order.attempts, order.restarts) == (None, 0, 0)


def test_what_does_not_stay_here_goes_by_message_and_gives_the_lease_back(
    world: World, events: Events, messages: Messages
) -> None:
    everything_stays_here(events, but=frozenset({Step.COLLECT_PAYMENT}))
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert messages.take() == [("collect_payment", 0)]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COLLECT_PAYMENT, None)


def test_an_order_that_stops_leads_no_further(world: World, events: Events, messages: Messages) -> None:
    order_id = world.place(world.customer(card=None), purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert world.order(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert told(events, "task-succeeded") == ["compute_proration", "collect_payment"]
    assert messages.take() == []


def test_the_way_back_is_walked_in_one_delivery_too(world: World, events: Events) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    assert delivered(order_id, Step.ACTIVATE_SUBSCRIPTION) == "turned_back"
    assert world.deliver(order_id, Step.ACTIVATE_SUBSCRIPTION) == "already_done"
    assert world.deliver(order_id, Step.SEND_REFUND_NOTICE) == "held_by_another"
    assert delivered(order_id, Step.REFUND_PAYMENT) == "done"
    assert world.order(order_id).status is OrderStatus.REFUNDED
    assert (world.given_back(ada), told(events, "task-succeeded")) == ([119_00], [BACK[1].value])


def test_temporary_trouble_in_a_later_step_is_retried_by_a_message_of_that_step(
    world: World, events: Events, messages: Messages
) -> None:
    order_id = world.place(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.create")
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    world.stripe.calm()
    assert told(events, "task-retried") == ["collect_payment"]
    [traceback] = [fields["traceback"] for event, fields in events if event == "task-retried"]
    assert "in collect_payment" in traceback
    assert "Stripe: APIError 503" in traceback
    assert messages.take() == [("collect_payment", 1)]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COLLECT_PAYMENT, None)


def test_a_later_step_has_all_its_retries_although_the_delivered_one_had_used_up_its_own(
    world: World, events: Events, messages: Messages
) -> None:
    order_id = world.place(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.create")
    validate_cart.apply((str(order_id),), retries=retry_policy.RETRIES, throw=True)
    world.stripe.calm()
    assert messages.take() == [("collect_payment", 1)]


def test_a_delivery_that_has_used_up_its_retries_is_left_to_the_sweep(world: World, messages: Messages) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.stripe.fail("unavailable", "payment_intents.create")
    last = collect_payment.apply((str(order_id),), retries=retry_policy.RETRIES, throw=True)
    world.stripe.calm()
    assert (last.get(), messages.take()) == ("postponed", [])


def test_a_retry_comes_when_its_order_may_be_tried_again_and_not_before(
    world: World, events: Events, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    countdowns: list[Any] = []
    publish = Task.apply_async

    def watched(task: Task, *positional: object, **named: object) -> object:
        countdowns.append(named["countdown"])
        return publish(task, *positional, **named)

    monkeypatch.setattr(Task, "apply_async", watched)
    order_id = world.place(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.create")
    delivered(order_id, Step.VALIDATE_CART)
    world.stripe.calm()
    [postponed] = world.noted(order_id, "collect_payment.postponed")
    assert [0 < countdown - postponed["seconds"] < 1 for countdown in countdowns] == [True]


def test_a_step_that_fails_is_red_by_itself_and_gives_the_order_back(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("tasks.billing.invoicing.issue", broken)
    order_id = world.place(world.customer(), purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert told(events, "task-failed") == ["activate_subscription"]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.ACTIVATE_SUBSCRIPTION, None)
    assert "a mistake of ours" in (order.last_error or "")


def test_a_message_about_an_order_that_is_not_there_is_done_with(world: World, events: Events) -> None:
    """As after a restore from a backup that is older than the order."""
    assert delivered(uuid4(), Step.VALIDATE_CART) == "not_open"


def test_a_delivery_twice_finds_each_step_done(world: World, events: Events) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    assert delivered(order_id, Step.VALIDATE_CART) == "already_done"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert delivered(order_id, Step.VALIDATE_CART) == "not_open"
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
