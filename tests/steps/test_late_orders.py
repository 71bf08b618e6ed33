"""A period begins when it is quoted: who is asked anew when it is paid much later, and who goes on as quoted."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.rules.cart import CartLine
from models.states import OrderStatus, Step
from tasks.operating import resumption
from tasks.policy import VatOutage
from tests.support.payment import DECLINES
from tests.support.world import World, change, purchase, trial

ASKS = OrderStatus.AWAITING_CONFIRMATION
FRENCH = "FR40303265045"


def test_a_slow_chain_charges_what_was_quoted_for_the_instant_that_was_quoted(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    order_id = world.place(ada, change(seats=20))
    world.pass_time(hours=5)
    order = world.run(order_id)
    assert (order.status, world.charged(ada)) == (OrderStatus.COMPLETED, [119_00, 119_00])
    assert world.subscription(ada, "desk").period_start == world.time - timedelta(hours=5)


@pytest.mark.parametrize("until", [Step.VALIDATE_CART, Step.COMPUTE_PRORATION, Step.COLLECT_PAYMENT])
@pytest.mark.parametrize("ordered", [purchase(), trial()], ids=["bought", "tried"])
def test_an_order_that_we_kept_for_days_is_not_charged_for_them(world: World, until: Step, ordered: CartLine) -> None:
    ada = world.customer()
    order_id = world.place(ada, ordered)
    world.placed_now(order_id)
    world.run(order_id, until=until)
    world.park(order_id)
    world.pass_time(days=2)
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(until, until), by="the test")
    order = world.run(order_id)
    assert (order.status, (order.reason_facts or {})["differs"], world.charged(ada)) == (ASKS, ["period"], [])
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").period_start == world.time


def test_what_was_bought_before_it_was_placed_is_not_late_for_that(world: World) -> None:
    """An order from a file of accounts."""
    ada = world.customer()
    world.pass_time(days=-20)
    order_id = world.place(ada, purchase())
    world.pass_time(days=20)
    world.placed_now(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_an_order_held_while_the_vat_registry_is_away_for_days_is_asked_about_a_period_from_now(world: World) -> None:
    world.policy(vat_outage=VatOutage.HOLD)
    ada = world.customer(country="FR", vat_number=FRENCH)
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.buy(ada, purchase()).id
    world.placed_now(order_id)
    world.pass_time(days=2)
    world.vies.forget()
    order = world.go_on(order_id)
    assert (order.status, (order.reason_facts or {})["differs"], world.charged(ada)) == (ASKS, ["period"], [])


@pytest.mark.parametrize("until", [Step.COMPUTE_PRORATION, Step.COLLECT_PAYMENT])
def test_vat_that_the_customer_agreed_to_while_the_registry_is_away_stays_in_that_quote(
    world: World, until: Step
) -> None:
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    ada = world.customer(country="FR", vat_number=FRENCH)
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.buy(ada, purchase()).id
    world.placed_now(order_id)
    world.confirm(order_id)
    world.run(order_id, until=until)
    world.pass_time(days=2)
    order = world.go_on(order_id)
    facts = order.reason_facts or {}
    assert (order.status, facts["due_minor"], facts["differs"]) == (ASKS, 120_00, ["period"])


def test_who_pays_after_the_quote_expired_is_asked_about_a_period_from_now(world: World) -> None:
    ada = world.customer(card=None)
    order_id = world.buy(ada, purchase()).id
    world.pass_time(days=2)
    world.give_card(ada)
    world.pay_again(order_id)
    order = world.run(order_id)
    assert (order.status, (order.reason_facts or {})["differs"], world.charged(ada)) == (ASKS, ["period"], [])
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").period_start == world.time
    assert world.charged(ada) == [119_00]


def asked_about_a_period_from_now(world: World) -> UUID:
    """An order that waited for a card until its quote had expired, and whose customer has accepted the fresh one."""
    ada = world.customer(card=None)
    order_id = world.buy(ada, purchase()).id
    world.pass_time(days=2)
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is ASKS
    world.placed_now(order_id)
    world.confirm(order_id)
    return order_id


def test_who_accepted_a_fresh_quote_in_time_is_not_asked_again_because_we_are_slow(world: World) -> None:
    order_id = asked_about_a_period_from_now(world)
    world.pass_time(hours=5)
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_who_pays_after_a_fresh_quote_expired_too_is_asked_once_more(world: World) -> None:
    order_id = asked_about_a_period_from_now(world)
    account_id = world.order(order_id).account_id
    with world.begin() as session:
        session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.account_id == account_id)
            .values(status=PaymentMethodStatus.REPLACED)
        )
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    world.pass_time(hours=5)
    world.pay_again(order_id)
    assert world.run(order_id).status is ASKS


@pytest.mark.parametrize(("seconds", "status"), [(-1, OrderStatus.COMPLETED), (0, ASKS)], ids=["just before", "then"])
def test_who_pays_at_the_instant_the_quote_expires_is_asked(world: World, seconds: int, status: OrderStatus) -> None:
    ada = world.customer(card=None)
    order_id = world.buy(ada, purchase()).id
    world.time += world.wiring.policy.quote_lifetime + timedelta(seconds=seconds)
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is status


@pytest.mark.parametrize(("seconds", "status"), [(0, OrderStatus.COMPLETED), (1, ASKS)], ids=["a day", "longer"])
def test_an_order_that_we_kept_for_a_day_past_its_quote_goes_on_as_quoted(
    world: World, seconds: int, status: OrderStatus
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.placed_now(order_id)
    world.time += world.wiring.policy.quote_lifetime + timedelta(days=1, seconds=seconds)
    assert world.run(order_id).status is status


def test_who_gave_another_card_in_time_is_not_asked_again_because_we_are_slow(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.give_card(ada)
    world.pay_again(order_id)
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.pass_time(minutes=40)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
