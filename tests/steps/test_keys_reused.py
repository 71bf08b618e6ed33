"""A key that was used for a request that said something else: what came of that one is looked up, and nothing is taken twice."""

from dataclasses import replace

import pytest

from models.accounts import Account
from models.states import OrderStatus
from tasks import wiring
from tasks.errors import Misconfigured, OutcomeUnknown
from tasks.ports import UNDER_WAY
from tasks.upstream import payment_details
from tests.support.messages import eventually
from tests.support.payment import ASKS_BANK, CREATE, DECLINES, REFUND, refundable, unanswered
from tests.support.stripe_stand_in import API_KEY, WEBHOOK_SECRET
from tests.support.world import World, purchase
from worker.adapters.stripe import StripePayments


def with_another_return_url(world: World) -> None:
    """What goes into each charge's request has changed, by a setting or another release, and the processes were started anew."""
    payments = StripePayments(
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        orders_page="https://billing.elsewhere.example/orders",
        api_base=world.stripe.url,
        patience=0.4,
        read_timeout=60,
    )
    world.wiring = replace(world.wiring, payments=payments)
    wiring.plug_in(world.wiring)


def test_a_charge_whose_answer_was_lost_before_a_setting_changed_is_found(world: World) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada)
    with_another_return_url(world)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("failed", ["server_error", "server_error_half_way"])
def test_a_charge_that_failed_before_such_a_change_is_begun_again_once_nothing_of_it_can_be_under_way(
    world: World, failed: str
) -> None:
    ada = world.customer()
    world.stripe.fail(failed, CREATE, times=1)
    order_id = world.run(world.place(ada, purchase())).id
    with_another_return_url(world)
    assert world.go_on(order_id).status is OrderStatus.OPEN
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "pending", 119_00)], [])
    assert world.wakes_in(order_id) > UNDER_WAY.total_seconds() - 20
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("days", [0, 60], ids=["a new order", "one older than any key"])
def test_a_charge_asked_for_again_a_moment_ago_may_be_under_way_however_old_its_attempt_is(
    world: World, days: int
) -> None:
    ada = world.customer()
    world.stripe.fail("unavailable", CREATE)
    order_id = world.run(world.place(ada, purchase())).id
    with world.begin() as session:
        older = "update orders set created_at = created_at - make_interval(days => %(days)s)"
        session.connection().exec_driver_sql(older, {"days": days})
    world.pass_time(seconds=61)
    world.stripe.calm()
    world.stripe.fail("server_error", CREATE, times=1)
    assert world.go_on(order_id, times=1).status is OrderStatus.OPEN
    with_another_return_url(world)
    assert world.go_on(order_id).status is OrderStatus.OPEN
    assert world.attempts(order_id) == [(1, "pending", 119_00)]
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]


def test_a_charge_that_no_bank_was_asked_about_is_begun_again_though_the_process_died_after_it_was_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_half_way", CREATE, times=1)
    order_id = world.run(world.place(ada, purchase())).id
    with_another_return_url(world)
    world.pass_time(seconds=61)
    with monkeypatch.context() as dying:
        dying.setattr("tasks.charges.charge_attempts.void", died)
        world.go_on(order_id)
    assert [intent["status"] for intent in world.intents(ada)] == ["canceled"]
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


def died(*_: object) -> None:
    raise OutcomeUnknown("the process is gone")


def test_what_the_provider_finishes_after_such_a_change_is_waited_for_and_not_charged_again(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    order_id = world.run(world.place(ada, purchase())).id
    with_another_return_url(world)
    assert world.go_on(order_id).status is OrderStatus.OPEN
    world.stripe.calm()
    assert eventually(lambda: world.charged(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_a_customer_who_authenticates_after_such_a_change_has_paid(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.AWAITING_AUTHENTICATION
    with_another_return_url(world)
    world.authenticate(order.id)
    world.notify(world.charge_ref(order.id))
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("other", ["amount_minor = 11800", "currency = 'USD'"])
def test_a_charge_of_another_sum_under_the_key_is_for_a_person_to_look_at(world: World, other: str) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada)
    with world.begin() as session:
        session.connection().exec_driver_sql(f"update charge_attempts set {other}")
    with pytest.raises(Misconfigured, match=r"is of 119\.00 EUR"):
        world.go_on(order_id)
    order = world.order(order_id)
    assert order.status is OrderStatus.NEEDS_ATTENTION
    assert "is of 119.00 EUR" in (order.last_error or "")
    assert world.charged(ada) == [119_00]


def test_a_charge_of_another_sum_under_the_key_that_its_bank_refused_is_made_anew_of_what_is_due(world: World) -> None:
    ada = world.customer(card=DECLINES)
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.run(world.place(ada, purchase())).id
    world.stripe.calm()
    with world.begin() as session:
        session.connection().exec_driver_sql("update charge_attempts set amount_minor = 11800")
    assert world.go_on(order_id).status is OrderStatus.OPEN
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.PAYMENT_DECLINED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "void", 118_00), (2, "declined", 119_00)], [])


def test_a_refund_whose_key_said_something_else_before_is_found(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("answer_lost", REFUND)
    world.stripe.fail("unavailable", "refunds.list")
    world.run(order_id)
    world.stripe.calm()
    with world.begin() as session:
        session.connection().exec_driver_sql(
            "update refund_attempts set amount_minor = amount_minor - 1 where order_id = %(id)s", {"id": order_id}
        )
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert len(world.given_back(ada)) == 1


def test_a_refund_that_failed_before_its_request_said_something_else_is_made_under_the_next_key(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("server_error", REFUND, times=1)
    world.run(order_id)
    with world.begin() as session:
        session.connection().exec_driver_sql("update refund_attempts set amount_minor = amount_minor - 1")
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("failed", 118_99), ("succeeded", 119_00)]
    assert world.given_back(ada) == [119_00]


def test_an_account_that_was_renamed_while_the_answer_about_it_was_lost_can_give_a_card(world: World) -> None:
    ada = world.customer(card=None)
    world.stripe.fail("answer_lost", "customers.create")
    with pytest.raises(OutcomeUnknown):
        payment_details.attach(ada.account_id, "pm_card_visa")
    world.stripe.calm()
    world.change_account(ada, name="Another Name")
    payment_details.attach(ada.account_id, "pm_card_visa")
    with world.begin() as session:
        assert session.get_one(Account, ada.account_id).customer_ref is not None
    assert world.buy(ada, purchase()).status is OrderStatus.COMPLETED
