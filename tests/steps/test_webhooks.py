"""Notifications: stored before anything else; those that tell nothing new are done with at once, all others are looked into."""

import pytest

from models.messages import WebhookReceived
from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from tasks import webhooks
from tests.support.world import World, purchase

ASKS_BANK = "pm_card_authenticationRequired"


def outcomes(world: World) -> list[str | None]:
    """Of all that was received; None where it waits."""
    return [row.outcome if row.handled_at else None for row in world.rows(WebhookReceived)]


def charge_of(world: World, order_id: object) -> str:
    return str(world.rows(ChargeAttempt, order_id=order_id)[0].ref)


@pytest.mark.parametrize("kind", ["payment_intent.succeeded", "charge.succeeded"])
def test_a_charge_that_is_recorded_is_no_news_and_the_provider_is_not_asked(world: World, kind: str) -> None:
    order = world.buy(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    world.receive(charge_of(world, order.id), kind)
    assert outcomes(world) == ["nothing to do"]
    assert webhooks.handle_webhooks() == 0


def test_news_that_came_too_early_is_none_once_the_charge_is_recorded(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.receive("pi_before_its_charge", "payment_intent.succeeded")
    assert outcomes(world) == [None]
    world.run(order_id)
    with world.begin() as session:
        for attempt in session.query(ChargeAttempt):
            attempt.ref = "pi_before_its_charge"
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    assert webhooks.handle_webhooks() == 1
    assert outcomes(world) == ["nothing to do"]


@pytest.mark.parametrize(
    "kind", ["charge.refunded", "charge.dispute.created", "payment_intent.canceled", "refund.failed"]
)
def test_whatever_else_is_said_of_a_recorded_charge_is_looked_into(world: World, kind: str) -> None:
    order = world.buy(world.customer(), purchase())
    world.receive(charge_of(world, order.id), kind)
    assert outcomes(world) == [None]
    assert webhooks.handle_webhooks() == 1


def test_what_an_order_waits_for_is_news(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    world.receive(charge_of(world, order.id), "payment_intent.succeeded")
    assert outcomes(world) == [None]
    assert webhooks.handle_webhooks() == 1
    assert outcomes(world) == ["reopened"]
    assert world.order(order.id).status is OrderStatus.OPEN


def test_a_charge_of_nobody_we_know_is_looked_into(world: World) -> None:
    world.receive("pi_unknown", "payment_intent.succeeded")
    assert outcomes(world) == [None]
