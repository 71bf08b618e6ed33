"""A charge that an order has no use for, and that the customer's bank has taken back: it is owed as long as nobody gave it back, and once."""

import pytest

from models.orders import OrderEvent
from tests.steps.test_disputed_charges import dispute, named
from tests.support.payment import given_up_and_paid_late
from tests.support.world import World


@pytest.mark.parametrize("back_by", ["us", "the dashboard", "the dashboard, unheard"])
@pytest.mark.parametrize("before", ["needs_response", "won"])
def test_one_that_was_refunded_before_its_dispute_is_not_owed_once_that_is_won(
    world: World, back_by: str, before: str
) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    if back_by == "us":
        world.notify(late)
    else:
        world.stripe.client().v1.refunds.create({"payment_intent": late})
    if back_by == "the dashboard":
        world.notify(late, "charge.refunded")
    for status in (before, "won"):
        dispute(world, late, status)
        world.notify(late, "charge.dispute.updated")
    assert (world.refunds(order_id), world.given_back(ada)) == ([("succeeded", 119_00)], [119_00])
    assert world.rows(OrderEvent, order_id=order_id, kind="refund.refused") == []
    assert named(world) == []
