"""3-D Secure: the customer proves to the bank who they are, in time, too late, or never."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt
from models.states import OrderStatus
from tasks import sweep
from tasks.charges import webhooks
from tasks.charges.payment_authentication import ask_about_authentication
from tests.invoices.documents import one, pdf, text_of
from tests.support import books
from tests.support.in_one_process import Messages, without_broker
from tests.support.payment import ASKS_BANK, CREATE, DECLINES
from tests.support.world import World, purchase


def is_settled(world: World, order_id: UUID) -> bool:
    [attempt] = world.rows(ChargeAttempt, order_id=order_id)
    return attempt.settled_at is not None


def test_an_authenticated_payment_goes_on_when_the_webhook_comes(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.AWAITING_AUTHENTICATION
    assert not is_settled(world, order.id)
    world.authenticate(order.id)
    world.notify(world.charge_ref(order.id))
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert is_settled(world, order.id)
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_an_authenticated_payment_goes_on_without_any_webhook(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_payment_that_fails_authentication_is_declined_and_another_card_pays(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id, "fail")
    world.notify(world.charge_ref(order.id), "payment_intent.payment_failed")
    assert world.run(order.id).status is OrderStatus.PAYMENT_DECLINED
    world.give_card(ada)
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_payment_that_somebody_cancelled_at_the_provider_says_nothing_against_its_card(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    ref = world.charge_ref(order.id)
    world.stripe.client().v1.payment_intents.cancel(ref)
    world.notify(ref, "payment_intent.canceled")
    order = world.run(order.id)
    assert (order.status, order.reason_facts) == (
        OrderStatus.PAYMENT_DECLINED,
        {"decline_code": "canceled", "attempt": 1},
    )
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert world.attempts(order.id) == [(1, "canceled", 119_00), (2, "requires_action", 119_00)]
    world.authenticate(order.id)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED


def test_a_time_zone_chosen_while_the_bank_is_asked_changes_no_date_of_the_order(world: World) -> None:
    ada = world.customer(card=ASKS_BANK, timezone="Europe/Berlin")
    world.time = datetime(
        2027, 3, 10, 16, tzinfo=UTC
    )  # the 11th in Tokyo; before the period ends, Berlin's clocks change
    order = world.buy(ada, purchase())
    world.change_account(ada, timezone="Asia/Tokyo")
    world.authenticate(order.id)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED
    document = one(world, order.id)
    assert document.timezone == "Europe/Berlin"
    letter = world.mailbox.read(world.mailbox.listed(f"to:{ada.email} subject:confirmed")[0]["ID"])["Text"].replace(
        "\N{NO-BREAK SPACE}", " "
    )
    for said in (text_of(pdf(world, document)), letter):
        assert "10 March 2027" in said
        assert "11 March 2027" not in said
    assert books.differences(world, ada.account_id) == []


def test_an_order_from_before_its_time_zone_was_kept_has_that_of_its_account(world: World) -> None:
    ada = world.customer(card=ASKS_BANK, timezone="Europe/Berlin")
    order = world.buy(ada, purchase())
    with world.begin() as session:
        session.execute(text("update orders set sold_to = sold_to - 'timezone'"))
    world.authenticate(order.id)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED
    assert one(world, order.id).timezone == "Europe/Berlin"
    assert books.differences(world, ada.account_id) == []


def sweep_finds(world: World, order_id: UUID) -> Order:
    """A sweep when it is time to look, and what it has the payments queue ask."""
    Messages().take()
    world.let_waits_run_out(order_id)
    sweep.sweep()
    Messages().deliver(ask_about_authentication)
    return world.run(order_id)


def test_an_order_still_waits_while_the_provider_is_asked_about_it_and_nothing_new_is_not_told(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    before, published = world.timeline(order.id), world.outbox()
    world.let_waits_run_out(order.id)
    for _ in range(3):
        Messages().take()
        assert sweep.sweep() == 1
        assert (world.order(order.id).status, world.outbox()) == (OrderStatus.AWAITING_AUTHENTICATION, published)
        assert Messages().deliver(ask_about_authentication) == ["nothing to do"]
        assert sweep.sweep() == 0
        world.let_waits_run_out(order.id)
    assert world.order(order.id).reason_facts == order.reason_facts
    assert world.timeline(order.id) == before


def test_news_is_told_once_however_often_it_is_asked_for(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda _: ask_about_authentication(str(order.id)), range(4)))
    assert asked.count("reopened") == 1
    assert world.timeline(order.id).count("order.reopened") == 1
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert ask_about_authentication(str(order.id)) == "awaits no authentication"


def test_the_webhook_and_the_question_at_the_same_moment_are_one_piece_of_news(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.receive(world.charge_ref(order.id), "payment_intent.succeeded")
    with ThreadPoolExecutor(2) as pool:
        pool.submit(webhooks.handle_webhooks)
        pool.submit(ask_about_authentication, str(order.id))
    assert world.timeline(order.id).count("order.reopened") == 1
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_provider_that_cannot_be_asked_changes_nothing_and_is_asked_at_the_next_look(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    before = world.timeline(order.id)
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    assert sweep_finds(world, order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert (world.timeline(order.id), world.wakes_in(order.id) > 0) == (before, True)
    world.stripe.calm()
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED


def test_a_question_that_the_broker_loses_is_asked_at_the_next_look(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.authenticate(order.id)
    world.let_waits_run_out(order.id)
    with without_broker():
        assert sweep.sweep() == 1
    assert 0 < world.wakes_in(order.id) <= 20
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 20), (40, 600), (56, 240)])
def test_an_abandoned_authentication_is_asked_about_less_and_less_until_its_time_is_over(
    world: World, minutes: int, seconds: int
) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.pass_time(minutes=minutes)
    began = time.monotonic()
    assert sweep_finds(world, order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    left = world.wakes_in(order.id)
    assert left <= seconds <= left + time.monotonic() - began


def test_an_authentication_has_an_hour_and_then_nobody_can_pay_for_what_has_passed(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    page = (order.reason_facts or {})["action_url"]
    world.pass_time(minutes=59, seconds=59)
    assert sweep_finds(world, order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.pass_time(seconds=1)
    order = sweep_finds(world, order.id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "customer-did-not-answer")
    httpx.post(page, data={"outcome": "succeed"}, timeout=240)
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "canceled", 119_00)], [])


def test_who_authenticated_in_time_is_not_cancelled_because_nobody_told_us(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.pass_time(hours=3)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])


def test_an_authentication_has_its_hour_however_late_we_could_ask_for_it(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    world.stripe.fail("unavailable", CREATE)
    order_id = world.buy(ada, purchase()).id
    world.stripe.calm()
    world.pass_time(hours=3)
    assert world.go_on(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert sweep_finds(world, order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.authenticate(order_id)
    assert sweep_finds(world, order_id).status is OrderStatus.COMPLETED


def test_an_authentication_has_its_whole_time_however_long_the_cards_before_it_took(world: World) -> None:
    world.policy(quote_lifetime=timedelta(days=365))
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.time = world.order(order_id).created_at.replace(microsecond=0) + timedelta(days=8)
    world.give_card(ada, ASKS_BANK)
    world.pay_again(order_id)
    world.run(order_id)
    world.let_waits_run_out(order_id)
    sweep.sweep()
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION


def test_a_card_that_fails_authentication_at_the_last_moment_can_be_replaced(world: World) -> None:
    order_id = world.buy(world.customer(card=ASKS_BANK), purchase()).id
    world.authenticate(order_id, "fail")
    world.pass_time(hours=1)
    assert sweep_finds(world, order_id).status is OrderStatus.PAYMENT_DECLINED


@pytest.mark.parametrize(
    ("late", "status"),
    [(timedelta(days=1), OrderStatus.COMPLETED), (timedelta(days=1, seconds=1), OrderStatus.REFUNDED)],
    ids=str,
)
def test_an_authentication_that_we_hear_of_days_later_does_not_pay_for_those_days(
    world: World, late: timedelta, status: OrderStatus
) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.time += timedelta(hours=1) + late
    world.authenticate(order.id)
    world.notify(world.charge_ref(order.id))
    order = world.run(order.id)
    assert (order.status, world.charged(ada)) == (status, [119_00])
    told = ([119_00], "customer-did-not-answer", ["refund_notice"])
    if status is OrderStatus.REFUNDED:
        assert (world.given_back(ada), order.reason, world.letters(order.id)) == told


def test_whoever_reads_the_timeline_cannot_authenticate_the_payment(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    facts = [row.facts for row in world.rows(OrderEvent, order_id=order.id)]
    assert "action_url" in (order.reason_facts or {})
    assert "authenticate" not in str(facts)
