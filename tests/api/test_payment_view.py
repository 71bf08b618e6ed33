"""What an order's payment says: what was taken, and what went back of it."""

from models.states import OrderStatus
from tests.api.conftest import Api
from tests.support.payment import given_up_and_paid_late, refundable
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
