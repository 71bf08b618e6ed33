"""What others did with a payment, and events that cannot be handled at once."""

from models.messages import WebhookReceived
from models.states import OrderStatus
from tasks.charges import webhooks
from tests.support.payment import ASKS_BANK, refund_by_hand, refund_that_fails, refundable, waiting_events
from tests.support.world import World, purchase


def test_a_refund_in_the_dashboard_is_noted_once_and_the_order_stays_as_it_is(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    refund_by_hand(world, order_id, 19_00)
    for kind in ("refund.created", "charge.refunded"):
        world.notify(world.charge_ref(order_id), kind)
    [facts] = world.noted(order_id, "refund.elsewhere")
    assert (facts["attempt"], facts["amount_minor"]) == (1, 19_00)
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_our_own_refund_is_not_taken_for_somebody_elses(world: World) -> None:
    _, order_id = refundable(world)
    world.run(order_id)
    world.notify(world.charge_ref(order_id), "charge.refunded")
    assert "refund.elsewhere" not in world.timeline(order_id)


def test_what_the_provider_says_of_a_failed_refund_is_not_shown_to_the_customer(world: World) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    [event] = world.noted(order_id, "refund.failed")
    assert list(event) == ["error"]


def test_one_event_that_cannot_be_handled_does_not_stop_the_next_and_is_not_forgotten(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    unknown = world.receive("pi_unknown", "payment_intent.succeeded")
    world.notify(world.charge_ref(order.id))
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert waiting_events(world) == {unknown: (1, 10.0)}
    assert world.rows(WebhookReceived, id=unknown)[0].outcome.startswith("failed: Misconfigured: ")


def test_an_event_that_fails_again_and_again_is_tried_ever_more_slowly(world: World) -> None:
    unknown = world.receive("pi_unknown", "payment_intent.succeeded")
    waits = []
    for _ in range(11):
        webhooks.handle_webhooks()
        attempts, wait = waiting_events(world)[unknown]
        webhooks.handle_webhooks()
        assert waiting_events(world)[unknown] == (attempts, wait)
        assert wait is not None
        waits.append(wait)
        world.pass_time(seconds=wait)
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_an_event_during_an_outage_is_handled_after_it(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    world.notify(world.charge_ref(order.id))
    assert world.order(order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.stripe.calm()
    world.pass_time(seconds=10)
    assert webhooks.handle_webhooks() == 1
    assert (waiting_events(world), world.run(order.id).status) == ({}, OrderStatus.COMPLETED)
