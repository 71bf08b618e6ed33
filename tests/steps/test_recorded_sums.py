"""What a person records as given back outside the provider: each part of the sum is told to whom it concerns, and what is given back beside it is named."""

import re
from uuid import UUID

import pytest

from models.states import OrderStatus
from tasks.operating import outside_refunds, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.support.disputes import bought, dispute, dispute_part, give_back, named
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.world import Customer, World

BACK = "what went back to its card"
UNEXPECTED = "what went back of the unexpected charge pi_1"


def settle(world: World, order_id: UUID, *, rest_paid: bool = False) -> int | None:
    """What was owed."""
    recorded = outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=rest_paid)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    return recorded.owed_minor


def refund_in_dashboard(world: World, charge: str, amount: int) -> None:
    world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": amount})
    world.notify(charge, "charge.refunded")


def lose(world: World, charge: str, amount: int) -> None:
    dispute_part(world, charge, amount)
    world.notify(charge, "charge.dispute.closed")


def notice(world: World, customer: Customer) -> str:
    newest, *_ = world.mailbox.listed(f"to:{customer.email}")
    return " ".join(re.sub("-{2,}", "", str(world.mailbox.read(newest["ID"])["Text"])).split())


def test_the_notice_says_what_the_bank_what_the_card_and_what_another_way_returns(world: World) -> None:
    ada, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 19_00)
    lose(world, charge, 60_00)
    assert settle(world, order_id, rest_paid=True) == 40_00
    [recorded] = world.noted(order_id, "refund.settled_outside")
    assert (recorded["owed_minor"], recorded["by_bank_minor"], recorded["amount_minor"]) == (40_00, 60_00, 119_00)
    assert (
        "Returned by your bank €60.00 Refunded to Visa •••• 4242 €19.00 Refunded in another way, not to your card €40.00 Total refunded €119.00 "
        "You have disputed this payment, and your bank returns €60.00 to you. "
    ) in (text := notice(world, ada))
    assert "€40.00 could not be refunded to your card, so we refunded it in another way." in text
    assert named(world) == []


def test_what_the_dashboard_gave_back_beside_what_the_bank_took_is_named(world: World) -> None:
    ada, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 50_00)
    lose(world, charge, 119_00)
    assert settle(world, order_id) == 0
    assert named(world) == [(BACK, "11900", "16900")]
    assert "Returned by your bank €119.00 Total refunded €119.00" in notice(world, ada)


@pytest.mark.parametrize("heard", [True, False])
def test_what_the_dashboard_gives_back_after_the_rest_was_paid_is_named(world: World, *, heard: bool) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": 19_00})
    if heard:
        world.notify(charge, "charge.refunded")
    assert settle(world, order_id) == 100_00
    assert named(world) == []
    refund_in_dashboard(world, charge, 50_00)
    assert named(world) == [(BACK, "11900", "16900")]


def test_what_the_dashboard_gives_back_of_an_unexpected_charge_after_the_rest_was_paid_is_named(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (69_00, "EUR")
    assert named(world) == []
    refund_in_dashboard(world, late, 30_00)
    assert named(world) == [(UNEXPECTED, "11900", "14900")]


def test_what_is_left_to_give_back_of_a_charge_whose_dispute_was_won_is_said(world: World) -> None:
    _, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 19_00)
    dispute(world, charge, "won")
    with pytest.raises(NotPossible, match=r"if you give it back all the same, pay 100.00 EUR by other"):
        give_back(order_id)
    assert settle(world, order_id) == 100_00
