"""Notifications: stored before anything else; those that tell nothing new are done with at once, all others are looked into."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from models import waiting_orders
from models.messages import WebhookReceived
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus, OrderStatus, Step
from tasks import wiring
from tasks.charges import charge_news, webhooks
from tasks.charges.news_outcome import NewsOutcome
from tasks.errors import TemporarilyUnavailable
from tasks.ports import EventKind
from tests.support.messages import eventually
from tests.support.payment import ASKS_BANK, DECLINES, refund_by_hand, unanswered, waiting_events
from tests.support.world import World, purchase


def outcomes(world: World) -> list[str | None]:
    """Of all that was received; None where it waits."""
    return [row.outcome if row.handled_at else None for row in world.rows(WebhookReceived)]


@pytest.mark.parametrize("kind", ["payment_intent.succeeded", "charge.succeeded"])
def test_a_charge_that_is_recorded_is_no_news_and_the_provider_is_not_asked(world: World, kind: str) -> None:
    order = world.buy(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    world.receive(world.charge_ref(order.id), kind)
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


def test_what_is_recorded_while_a_run_is_on_is_not_asked_about(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.buy(world.customer(), purchase())
    world.receive(world.charge_ref(order.id), "charge.dispute.created")
    world.receive("pi_before_its_charge", "payment_intent.succeeded")
    looked_into = []

    def handle(charge_ref: str, *, kind: EventKind) -> NewsOutcome:
        looked_into.append(charge_ref)
        with world.begin() as session:
            session.execute(update(ChargeAttempt).values(ref="pi_before_its_charge"))
        return NewsOutcome.REOPENED

    monkeypatch.setattr(charge_news, "handle", handle)
    assert webhooks.handle_webhooks() == 1
    assert len(looked_into) == 1
    assert webhooks.handle_webhooks() == 1
    assert outcomes(world) == ["reopened", "nothing to do"]
    assert len(looked_into) == 1


@pytest.mark.parametrize(
    ("stored_as", "timeline"),
    [
        ("payment_intent.succeeded", []),
        ("charge.refunded", ["refund.elsewhere"]),
        ("charge.dispute.created", ["charge.disputed"]),
        ("charge.dispute.closed", ["charge.disputed"]),
    ],
)
def test_an_event_stored_by_an_earlier_release_is_handled_as_what_the_provider_calls_it(
    world: World, stored_as: str, timeline: list[str]
) -> None:
    order = world.buy(world.customer(), purchase())
    before = world.timeline(order.id)
    charge = world.charge_ref(order.id)
    refund_by_hand(world, order.id, 19_00)
    if "dispute" in stored_as:
        world.stripe.control("dispute", payment_intent=charge, status="needs_response")
    with world.begin() as session:
        session.add(
            WebhookReceived(
                id="evt_before_the_upgrade",
                type=stored_as,
                charge_ref=charge,
                payload=b'{"data": {"object": {"id": "dp_1"}}}',
            )
        )
    assert webhooks.handle_webhooks() == 1
    assert (outcomes(world), world.timeline(order.id)[len(before) :]) == (["nothing to do"], timeline)


@pytest.mark.parametrize(
    "kind", ["charge.refunded", "charge.dispute.created", "payment_intent.canceled", "refund.failed"]
)
def test_whatever_else_is_said_of_a_recorded_charge_is_looked_into(world: World, kind: str) -> None:
    order = world.buy(world.customer(), purchase())
    world.receive(world.charge_ref(order.id), kind)
    assert outcomes(world) == [None]
    assert webhooks.handle_webhooks() == 1


def test_what_an_order_waits_for_is_news(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    assert outcomes(world) == [None]
    assert webhooks.handle_webhooks() == 1
    assert outcomes(world) == ["reopened"]
    assert world.order(order.id).status is OrderStatus.OPEN


def test_success_is_news_for_as_long_as_its_order_waits_for_it(world: World) -> None:
    """Whatever is written about the charge already: only the order's step goes on with it."""
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    with world.begin() as session:
        session.execute(update(ChargeAttempt).values(status=AttemptStatus.SUCCEEDED))
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    assert (webhooks.handle_webhooks(), outcomes(world)) == (1, ["reopened"])


def test_news_that_comes_while_a_step_is_asking_waits_for_what_the_step_makes_of_its_older_answer(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    with world.begin() as session:
        waiting = (OrderStatus.AWAITING_AUTHENTICATION,)
        assert waiting_orders.reopen(session, order.id, out_of=waiting, step=Step.COLLECT_PAYMENT, why="asking")
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    assert (webhooks.handle_webhooks(), outcomes(world)) == (0, [None])
    with world.begin() as session:  # the step had asked before the customer authenticated
        session.execute(update(Order).values(status=OrderStatus.AWAITING_AUTHENTICATION, next_step=None))
    world.pass_time(seconds=11)
    assert (webhooks.handle_webhooks(), outcomes(world)) == (1, ["reopened"])
    assert world.run(order.id).status is OrderStatus.COMPLETED


def test_an_order_that_somebody_has_locked_holds_up_no_other_news(world: World) -> None:
    locked, other = (world.buy(world.customer(card=ASKS_BANK), purchase()) for _ in range(2))
    for order in (locked, other):
        world.authenticate(order.id)
        world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    with world.impatient(), world.begin() as holder:
        holder.execute(select(Order.id).where(Order.id == locked.id).with_for_update())
        assert webhooks.handle_webhooks() == 1
    assert [world.order(order.id).status for order in (locked, other)] == [
        OrderStatus.AWAITING_AUTHENTICATION,
        OrderStatus.OPEN,
    ]


@pytest.mark.parametrize("trouble", [OperationalError("", None, Exception("away")), NoConnectionFree()])
def test_without_a_database_a_run_ends_and_nothing_is_held_against_the_event(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")

    def fail(*_: object, **__: object) -> str:
        raise trouble

    monkeypatch.setattr(charge_news, "handle", fail)
    with pytest.raises(type(trouble)):
        webhooks.handle_webhooks()
    assert [(row.attempts, row.outcome) for row in world.rows(WebhookReceived)] == [(0, None)]


def test_a_charge_of_nobody_we_know_is_looked_into(world: World) -> None:
    world.receive("pi_unknown", "payment_intent.succeeded")
    assert outcomes(world) == [None]


def test_a_charge_that_names_an_order_but_no_attempt_is_not_ours(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    charges = world.stripe.client().v1.payment_intents
    charge = charges.create({"amount": 100, "currency": "eur", "metadata": {"order_id": str(order_id)}})
    assert charge_news.handle(charge.id) is NewsOutcome.NOT_OURS


def test_news_of_a_charge_whose_order_is_parked_for_a_person_is_done_with(world: World) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada)
    world.park(order_id)
    (charge,) = world.intents(ada)
    world.receive(charge["id"], "payment_intent.succeeded")
    assert (webhooks.handle_webhooks(), outcomes(world)) == (1, ["nothing to do"])
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION


def test_news_of_an_attempt_that_is_over_waits_for_no_step_that_is_about_to_make_the_next(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order = world.buy(ada, purchase())
    declined = world.charge_ref(order.id)
    world.give_card(ada)
    world.pay_again(order.id)
    assert charge_news.handle(declined) is NewsOutcome.NOTHING_TO_DO
    assert world.run(order.id).status is OrderStatus.COMPLETED


def strangers(world: World, number: int) -> list[str]:
    """Events about charges that somebody else made on the same account of the provider."""
    client = world.stripe.client().v1
    customer = client.customers.create({"name": "Somebody else"})
    charges = [
        client.payment_intents.create({"amount": 100, "currency": "eur", "customer": customer.id})
        for _ in range(number)
    ]
    for charge in charges:
        world.receive(charge.id, "payment_intent.created")
    return [charge.id for charge in charges]


def test_events_that_fail_again_and_again_hold_up_no_fresh_one(world: World) -> None:
    recorded = world.buy(world.customer(), purchase())
    for _ in range(5):
        world.receive(world.charge_ref(recorded.id), "charge.refunded")
    world.stripe.fail("unavailable", "refunds.list")
    webhooks.handle_webhooks()
    world.pass_time(seconds=600)
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    fresh = webhooks.take_next()
    assert (fresh and fresh.charge_ref) == world.charge_ref(order.id)


def test_who_was_slower_does_not_overwrite_what_another_made_of_an_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    [charge] = strangers(world, 1)

    def slow(*_: object, **__: object) -> str:
        with world.begin() as session:
            session.execute(update(WebhookReceived).values(handled_at=world.time, outcome="not ours"))
        raise TemporarilyUnavailable("timeout")

    monkeypatch.setattr(charge_news, "handle", slow)
    webhooks.handle_webhooks()
    assert [(row.charge_ref, row.outcome, row.attempts) for row in world.rows(WebhookReceived)] == [
        (charge, "not ours", 0)
    ]


def test_while_one_run_waits_for_the_provider_the_next_in_its_process_does_not(world: World) -> None:
    strangers(world, 2)
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(read_timeout=60)))
    hang = world.stripe.fail("hang", "payment_intents.retrieve", seconds=60)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(webhooks.handle_webhooks)
        assert eventually(lambda: world.stripe.seen(hang) == 1)
        assert webhooks.handle_webhooks() == 0
        world.stripe.calm()
        assert first.result() == 2


def test_two_processes_take_different_events_and_a_dead_ones_comes_back(world: World) -> None:
    charges = strangers(world, 2)
    taken = [webhooks.take_next() for _ in range(3)]
    assert [event.charge_ref if event else None for event in taken] == [*charges, None]
    world.pass_time(seconds=webhooks.TAKEN_FOR.total_seconds())
    assert webhooks.handle_webhooks() == 2


def test_news_of_a_declined_charge_is_done_with_although_its_order_is_about_to_try_another(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.give_card(ada)
    world.pay_again(order_id)
    world.notify(world.charge_ref(order_id), "payment_intent.payment_failed")
    assert world.order(order_id).status is OrderStatus.OPEN
    assert waiting_events(world) == {}
