"""What an order's payment says: what was taken, and what went back of it."""

from uuid import UUID

import pytest

from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from tasks.operating import resumption
from tests.api.conftest import Api, purchase
from tests.support.payment import REFUND, given_up_and_paid_late, refundable
from tests.support.world import Customer, World


def test_money_that_was_given_up_and_went_back_is_not_the_orders(world: World, api: Api, ada: Customer) -> None:
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    world.notify(late)
    assert world.given_back(ada) == [119_00]
    payment = api("GET", f"/v1/orders/{order_id}").json()["payment"]
    assert (payment["charged"]["minor"], payment["refunded"]["minor"]) == (119_00, 0)
    assert [(each["charge_attempt"], each["amount"]["minor"]) for each in payment["refunds"]] == [(1, 119_00)]


def test_what_went_back_of_the_orders_own_charge_is_refunded(world: World, api: Api) -> None:
    customer, order_id = refundable(world)
    api.use(customer)
    world.run(order_id)
    payment = api("GET", f"/v1/orders/{order_id}").json()["payment"]
    assert payment["refunded"] == payment["charged"]
    assert [each["charge_attempt"] for each in payment["refunds"]] == [1]


def test_a_refund_that_fails_later_makes_the_order_wait_for_a_person_and_the_customer_is_told_so(
    world: World, api: Api
) -> None:
    customer, order_id = refundable(world, "pm_card_refundFail")
    api.use(customer)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    before = api.get(f"/v1/orders/{order_id}").json()
    assert (before["final"], before["payment"]["refunded"]) == (True, before["payment"]["charged"])
    (charge,) = world.rows(ChargeAttempt, order_id=order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge.ref) == ["failed"])
    world.notify(charge.ref, "refund.failed")
    after = api.get(f"/v1/orders/{order_id}").json()
    assert [after[name] for name in ("status", "final", "finished_at")] == ["needs_attention", False, None]
    assert after["payment"]["refunded"]["minor"] == 0
    assert after["status_text"] == after["reason"]["text"]
    assert after["status_text"] == (
        "The refund of your order failed and our team is looking after it. You do not need to do anything."
    )


def test_a_refund_that_failed_is_not_spoken_of_any_more_once_another_was_made(world: World, api: Api) -> None:
    """The order waits for a person once more because its letter could not be sent, say."""
    customer, order_id = refundable(world)
    api.use(customer)
    world.stripe.fail("server_error", REFUND, times=1)
    world.run(order_id)
    world.go_on(order_id, times=1)
    assert (world.refunds(order_id), status_text_when_parked(world, api, order_id)) == (
        [("failed", 119_00)],
        "The refund of your order failed and our team is looking after it. You do not need to do anything.",
    )
    resume(world, order_id)
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]
    assert status_text_when_parked(world, api, order_id).startswith("Your order is taking longer than usual")


def status_text_when_parked(world: World, api: Api, order_id: UUID) -> str:
    world.park(order_id)
    return str(api.get(f"/v1/orders/{order_id}").json()["status_text"])


def resume(world: World, order_id: UUID) -> None:
    at = Step.REFUND_PAYMENT
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(at, at), by="ops")


@pytest.mark.parametrize("step", [Step.VALIDATE_CART, Step.ACTIVATE_SUBSCRIPTION])
def test_an_order_parked_on_its_way_forward_is_not_said_to_have_a_failed_refund(
    world: World, api: Api, ada: Customer, step: Step
) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.run(order_id, until=step)
    assert status_text_when_parked(world, api, order_id).startswith("Your order is taking longer than usual")
