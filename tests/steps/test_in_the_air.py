"""A charge that may have been made and that nobody has asked about: an order does not end without it, and should it, the money comes back."""

import pytest

from models.states import OrderStatus, Step
from tasks.operating import order_story, resumption
from tasks.operating.order_at_hand import NotPossible
from tests.support.books import differences, verified
from tests.support.payment import unanswered
from tests.support.world import World


def test_what_may_have_been_charged_is_not_sent_back_unasked_and_a_cancellation_finds_out(world: World) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada)
    world.park(order_id)
    with world.begin() as session, pytest.raises(NotPossible, match="nobody has asked yet; cancel it instead"):
        resumption.plan_resumption(order_story.tell(session, order_id), from_step=Step.REFUND_PAYMENT)
    world.cancel(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]


def test_money_of_an_order_that_ended_without_asking_is_named_and_goes_back(world: World) -> None:
    """Somebody has put the order on its way back by hand."""
    ada = world.customer()
    order_id = unanswered(world, ada)
    world.park(order_id)
    with world.begin() as session:
        stood_at = Step.COLLECT_PAYMENT
        resumption.resume(session, order_id, resumption.Resumption(stood_at, Step.REFUND_PAYMENT), by="the test")
    order = world.run(order_id)
    assert order.status is OrderStatus.REJECTED
    assert "Nothing was charged" in world.mailbox.read(world.mailbox.listed(f"to:{ada.email}")[0]["ID"])["Text"]
    (found,) = differences(world)
    assert found.what == f"order:{order_id}:charge:1 being under way, though the order has ended"
    world.notify(world.books(ada)["payment_intents"][0]["id"])
    assert world.given_back(ada) == [119_00]
    assert (world.attempts(order_id), world.order(order_id).status) == ([(1, "void", 119_00)], OrderStatus.REJECTED)
    assert verified(world) == []
