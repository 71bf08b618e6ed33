"""A lost dispute that a person has settled: the customer paid again what the bank took, or keeps it."""

import pytest

from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.operating import dispute_settlements, outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.support.disputes import bought, happens, named, refused
from tests.support.payment import DECLINES
from tests.support.world import World, change, purchase, trial

TAKEN = "what the customer's bank took back"
PAID_AGAIN = {"by": "Olga", "why": "paid again by transfer of 3 May"}


def test_what_a_lost_dispute_left_of_a_period_is_changed_again_once_it_is_settled(world: World) -> None:
    ada, _, _ = bought(world)
    world.pass_time(hours=1)
    changed = world.buy(ada, change("desk", seats=11))
    charge = world.charge_ref(changed.id)
    happens(world, charge, "needs_response", "lost")
    assert refused(world, ada, change("desk", seats=12)) == [RefusalCode.PAYMENT_DISPUTED]
    [settled] = dispute_settlements.settle(changed.id, **PAID_AGAIN)
    [entry] = world.noted(changed.id, "dispute.settled")
    told = {"dispute": settled, "attempt": 1, "amount_minor": changed.due_minor, "currency": "EUR"}
    assert entry == told | PAID_AGAIN
    assert named(world) == []
    assert world.buy(ada, change("desk", seats=12)).status is OrderStatus.COMPLETED
    with pytest.raises(NotPossible, match="no lost dispute of order 1002 is noted that is not settled"):
        dispute_settlements.settle(changed.id, **PAID_AGAIN)


def test_what_was_bought_is_not_ended_once_its_dispute_is_settled(world: World) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "lost")
    dispute_settlements.settle(order_id, **PAID_AGAIN)
    with pytest.raises(NotPossible, match="the lost dispute of order 1001 was settled"):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert named(world) == []


def test_one_that_is_won_after_all_is_named_as_the_customer_has_paid_twice(world: World) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "lost")
    [settled] = dispute_settlements.settle(order_id, **PAID_AGAIN)
    for status, found in (("needs_response", []), ("won", [(f"{TAKEN} (dispute du_1, won)", "11900", "0")])):
        world.stripe.control("change", id=settled, values={"status": status})
        world.notify(charge, "charge.dispute.updated")
        assert named(world) == found
    assert world.buy(ada, change("desk", seats=11)).status is OrderStatus.COMPLETED


def test_another_dispute_of_the_charge_is_not_settled_with_it(world: World) -> None:
    ada, order_id, charge = bought(world)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=19_00)
    world.notify(charge, "charge.dispute.closed")
    dispute_settlements.settle(order_id, **PAID_AGAIN)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=100_00)
    world.notify(charge, "charge.dispute.closed")
    assert refused(world, ada, change("desk", seats=11)) == [RefusalCode.PAYMENT_DISPUTED]
    assert named(world) == [(f"{TAKEN} (dispute du_1, lost)", "0", "10000")]


@pytest.mark.parametrize("statuses", [[], ["warning_needs_response"], ["needs_response"], ["needs_response", "won"]])
def test_what_is_not_lost_is_not_settled(world: World, statuses: list[str]) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, *statuses)
    with pytest.raises(NotPossible):
        dispute_settlements.settle(order_id, **PAID_AGAIN)
    assert "dispute.settled" not in world.timeline(order_id)


def test_an_order_without_a_charge_by_card_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=None), trial())
    with pytest.raises(NotPossible, match=r"^order 1001 charged no card: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)


def test_an_order_that_is_not_completed_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=DECLINES), purchase())
    with pytest.raises(NotPossible, match=r"^order 1001 is payment_declined: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)
