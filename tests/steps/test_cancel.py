"""A cancellation in every state an order can be in: no charge, or the charge goes back; never neither."""

import httpx
import pytest

from models import waiting_orders
from models.orders import OrderedProduct
from models.states import OrderStatus, Step
from tasks import placement
from tasks.cancellation import BY_CUSTOMER, BY_US
from tasks.placement import RequestRefused
from tests.support.payment import ASKS_BANK, refundable
from tests.support.places import at
from tests.support.world import MONTH, World, purchase

CANCELLED, REFUNDED = OrderStatus.CANCELLED, OrderStatus.REFUNDED


@pytest.mark.parametrize("step", [Step.VALIDATE_CART, Step.COMPUTE_PRORATION, Step.COLLECT_PAYMENT])
def test_before_the_charge_nothing_is_charged(world: World, step: Step) -> None:
    ada = world.customer()
    world.grant(ada, 10_00)
    order_id = world.place(ada, purchase())
    world.run(order_id, until=step)
    assert world.cancel(order_id) is OrderStatus.OPEN
    order = world.run(order_id)
    assert (order.status, order.reason) == (CANCELLED, "cancelled-by-customer")
    assert (world.charged(ada), world.balance(ada), world.mails(ada)) == ([], 10_00, [])
    assert world.rows(OrderedProduct, order_id=order_id) == []


@pytest.mark.parametrize("point", ["claimed", "called"])
def test_while_the_charge_is_made_it_goes_back_or_is_not_made(world: World, point: str) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with at(f"collect_payment.{point}", lambda: world.cancel(order_id)):
        order = world.run(order_id)
    assert order.status is (CANCELLED if point == "claimed" else REFUNDED)
    assert world.charged(ada) == world.given_back(ada) == ([] if point == "claimed" else [119_00])


@pytest.mark.parametrize("status", [OrderStatus.OPEN, OrderStatus.AWAITING_AUTHENTICATION])
def test_an_order_that_may_yet_be_charged_is_not_cancelled_as_one_that_only_waits(
    world: World, status: OrderStatus
) -> None:
    order_id = world.place(world.customer(card=ASKS_BANK), purchase())
    order = world.order(order_id) if status is OrderStatus.OPEN else world.run(order_id)
    with world.begin() as session:
        assert not waiting_orders.cancel(session, order, reason="customer-did-not-answer")
    assert (world.order(order_id).status, world.order(order_id).finished_at) == (status, None)
    assert len(world.rows(OrderedProduct, order_id=order_id)) == 1


def test_after_the_charge_and_before_activation_the_money_goes_back_and_the_customer_is_told(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    order = world.run(order_id)
    assert (order.status, order.reason) == (REFUNDED, "cancelled-by-customer")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    assert world.letters(order_id) == ["refund_notice"]


def test_what_the_balance_paid_comes_back(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 200_00)
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    assert (world.run(order_id).status, world.balance(ada)) == (CANCELLED, 200_00)


@pytest.mark.parametrize("step", [Step.SEND_CONFIRMATION_EMAIL, Step.PROMPT_SEAT_ASSIGNMENT])
def test_what_is_active_cannot_be_cancelled_any_more(world: World, step: Step) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=step)
    with pytest.raises(RequestRefused) as refused:
        world.cancel(order_id)
    assert refused.value.code == "too-late"
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_a_completed_or_rejected_order_cannot_be_cancelled(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with pytest.raises(RequestRefused) as refused:
        world.cancel(order.id)
    assert refused.value.code == "too-late"


def test_a_cancelled_order_can_be_cancelled_again(world: World) -> None:
    order_id = world.buy(world.customer(card=None), purchase()).id
    assert (world.cancel(order_id), world.cancel(order_id)) == (CANCELLED, CANCELLED)


def test_an_order_that_awaits_payment_details_ends_at_once(world: World) -> None:
    order_id = world.buy(world.customer(card=None), purchase()).id
    assert world.cancel(order_id) is CANCELLED
    assert world.order(order_id).reason == "cancelled-by-customer"


def test_an_order_whose_card_was_declined_ends_at_once(world: World) -> None:
    ada = world.customer(card="pm_card_chargeCustomerFail")
    order_id = world.buy(ada, purchase()).id
    assert (world.cancel(order_id), world.charged(ada)) == (CANCELLED, [])


def test_an_order_that_awaits_confirmation_ends_at_once(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    assert world.cancel(order_id) is CANCELLED


def test_a_payment_that_awaits_authentication_is_cancelled_at_the_provider(world: World) -> None:
    ada = world.customer(card="pm_card_authenticationRequired")
    order_id = world.buy(ada, purchase()).id
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.run(order_id).status is CANCELLED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "canceled", 119_00)], [])


def test_a_payment_authenticated_just_before_goes_back(world: World) -> None:
    ada = world.customer(card="pm_card_authenticationRequired")
    order_id = world.buy(ada, purchase()).id
    world.authenticate(order_id)
    world.cancel(order_id)
    assert world.run(order_id).status is REFUNDED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])


def test_a_cancellation_while_the_bank_is_asked_leaves_nothing_to_authenticate(world: World) -> None:
    ada = world.customer(card="pm_card_authenticationRequired")
    order_id = world.place(ada, purchase())
    with at("collect_payment.called", lambda: world.cancel(order_id)):
        world.run(order_id)
    assert world.go_on(order_id).status is CANCELLED
    assert world.attempts(order_id) == [(1, "canceled", 119_00)]


def test_a_charge_whose_answer_was_lost_is_found_and_goes_back(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost", "payment_intents.create")
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.buy(ada, purchase()).id
    world.cancel(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is REFUNDED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])


def test_a_charge_that_may_still_be_under_way_is_waited_for(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("connection_reset", "payment_intents.create")
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.buy(ada, purchase()).id
    world.cancel(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.OPEN
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is CANCELLED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "void", 119_00)], [])


def test_an_order_that_needs_attention_is_cancelled_on_its_way(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.park(order_id)
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.run(order_id).status is CANCELLED
    assert world.charged(ada) == []


def test_an_order_that_was_parked_after_its_cancellation_goes_on_by_another(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.cancel(order_id)
    world.park(order_id)
    with world.begin() as session:
        again = placement.cancel(session, order_id=order_id, by="ops", now=world.time, reason=BY_US)
    assert again is OrderStatus.OPEN
    order = world.run(order_id)
    assert (order.status, order.reason) == (CANCELLED, BY_CUSTOMER), "the customer asked first"


def test_why_an_order_turned_back_is_still_known_after_a_person_resumed_it(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    with world.begin() as session:
        waiting = (OrderStatus.NEEDS_ATTENTION,)
        assert waiting_orders.reopen(session, order_id, out_of=waiting, step=Step.REFUND_PAYMENT, why="resumed")
    order = world.run(order_id)
    assert (order.status, order.reason) == (REFUNDED, "cancelled-by-customer")


def test_an_order_parked_on_its_way_back_is_not_cancelled(world: World) -> None:
    _, order_id = refundable(world)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    with pytest.raises(RequestRefused, match="being undone already"):
        world.cancel(order_id)


def test_a_cancellation_of_what_already_goes_back_changes_nothing(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    timeline = world.timeline(order_id)
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.timeline(order_id) == timeline


def test_who_is_cancelled_by_us_while_the_chain_runs_is_told_so(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with world.begin() as session:
        placement.cancel(session, order_id=order_id, by="ops", now=world.time, reason=BY_US)
    order = world.run(order_id)
    assert (order.status, order.reason) == (CANCELLED, BY_US)


@pytest.mark.parametrize("pays", [False, True])
def test_a_500_kept_at_the_provider_does_not_keep_an_order_from_being_cancelled(world: World, *, pays: bool) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    page = (order.reason_facts or {})["action_url"]
    world.stripe.fail("server_error", "payment_intents.cancel", times=1)
    world.cancel(order.id)
    world.run(order.id)
    if pays:
        assert httpx.post(page, data={"outcome": "succeed"}, timeout=240).is_redirect
    assert world.go_on(order.id).status is (REFUNDED if pays else CANCELLED)
    assert world.charged(ada) == world.given_back(ada) == ([119_00] if pays else [])
