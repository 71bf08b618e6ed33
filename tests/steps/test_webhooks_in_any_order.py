"""The provider sends its events twice, late and in any order: an event only says where to look, and what is true now is looked up."""

from datetime import timedelta
from itertools import permutations

import pytest

from models.messages import WebhookReceived
from models.payments import ChargeAttempt
from models.states import OrderStatus
from tasks.charges import charge_news, webhooks
from tests.support.world import World, purchase

ASKS_BANK = "pm_card_threeDSecure2Required"
KINDS = ("payment_intent.created", "payment_intent.requires_action", "payment_intent.succeeded")


@pytest.mark.parametrize("kinds", list(permutations(KINDS)))
def test_events_of_one_payment_in_any_order_and_twice_complete_the_order_once(
    world: World, kinds: tuple[str, ...]
) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    [attempt] = world.rows(ChargeAttempt, order_id=order.id)
    for kind in (*kinds, *kinds):
        world.notify(attempt.ref, kind, event_id=f"evt_{order.id}_{kind}")
    assert world.run(order.id).status is OrderStatus.COMPLETED
    for kind in kinds:
        world.notify(attempt.ref, kind, event_id=f"evt_{order.id}_late_{kind}")
    assert world.order(order.id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.letters(order.id)) == ([119_00], ["confirmation", "seat_prompt"])


def test_an_event_that_says_what_is_not_so_changes_nothing(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    [attempt] = world.rows(ChargeAttempt, order_id=order.id)
    world.notify(attempt.ref, "payment_intent.succeeded")  # signed, but the bank has not been asked yet
    assert world.order(order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert world.attempts(order.id) == [(1, "requires_action", 119_00)]


def test_an_event_is_kept_as_it_came_before_anything_is_done_about_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    [attempt] = world.rows(ChargeAttempt, order_id=order.id)
    monkeypatch.setattr(charge_news, "handle", lambda *_, **__: 1 / 0)
    event_id = world.receive(attempt.ref, "charge.refunded")
    [row] = world.rows(WebhookReceived, id=event_id)
    assert row.handled_at is None
    assert f'"id": "{event_id}"'.encode() in row.payload


def test_an_event_about_a_charge_that_is_not_recorded_yet_waits_for_the_providers_own_answer(world: World) -> None:
    world.receive("pi_under_way", "payment_intent.succeeded", ago=timedelta(0))
    assert webhooks.handle_webhooks() == 0
    (event,) = world.rows(WebhookReceived, charge_ref="pi_under_way")
    assert (event.attempts, event.handled_at) == (0, None)
    world.receive("pi_of_long_ago", "payment_intent.succeeded", ago=webhooks.OWN_ANSWER)
    webhooks.handle_webhooks()
    assert world.rows(WebhookReceived, charge_ref="pi_of_long_ago")[0].attempts == 1
