"""What a person recorded as given back in another way, and a dispute that goes on afterwards: what the customer has twice, or from nobody, is named."""

from uuid import UUID

from models.states import OrderStatus
from tasks.operating import outside_refunds, unexpected_refunds
from tests.support.disputes import bought, dispute, named, noted, turn, waiting
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.world import World

TOOK = "what the customer's bank took back (dispute du_1, {})"
UNEXPECTED = "what went back of the unexpected charge pi_1"


def settle(world: World, order_id: UUID, *, rest_paid: bool = False) -> None:
    assert outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=rest_paid)
    assert world.run(order_id).status is OrderStatus.REFUNDED


def lose(world: World, charge: str, amount: int = 119_00) -> None:
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=amount)
    world.notify(charge, "charge.dispute.closed")


def test_what_was_paid_by_transfer_and_is_taken_back_by_the_bank_afterwards_is_named(world: World) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    settle(world, order_id)
    assert named(world) == []
    dispute(world, charge)
    world.notify(charge, "charge.dispute.created")
    assert named(world) == [(TOOK.format("chargeback"), "0", "11900")]
    lose(world, charge)
    assert named(world) == [(TOOK.format("lost"), "0", "11900")]


def test_the_rest_that_was_paid_and_is_taken_back_by_a_second_dispute_is_named(world: World) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 50_00)
    settle(world, order_id, rest_paid=True)
    assert named(world) == []
    lose(world, charge, 69_00)
    assert named(world) == [(TOOK.format("lost"), "0", "6900")]


def test_a_dispute_that_is_won_after_it_was_recorded_as_given_back_by_the_bank_is_named(world: World) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge)
    settle(world, order_id)
    assert named(world) == []
    for status, found in (("won", [(TOOK.format("won"), "11900", "0")]), ("lost", [])):
        turn(world, charge, status)
        world.notify(charge, "charge.dispute.closed")
        assert named(world) == found


def test_a_lost_dispute_that_no_event_told_of_is_noted_where_it_is_recorded(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost")
    settle(world, order_id)
    assert noted(world, order_id) == [("dispute.closed", "lost", 119_00)]
    world.notify(charge, "charge.dispute.closed")
    assert (noted(world, order_id), named(world)) == ([("dispute.closed", "lost", 119_00)], [])


def test_an_unexpected_charge_that_was_paid_by_transfer_and_is_taken_back_afterwards_is_named(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id, late = given_up_and_paid_late(world, ada)
    world.give_card(ada)
    world.run(order_id)
    world.notify(late)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    world.notify(late, "refund.failed")
    unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    assert named(world) == []
    lose(world, late)
    assert named(world) == [(UNEXPECTED, "11900", "23800")]


def test_an_unexpected_charge_of_which_a_lost_part_is_won_after_the_rest_was_paid_is_named(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    lose(world, late, 19_00)
    unexpected_refunds.settle(order_id, late, by="Olga", why="rest by transfer")
    assert named(world) == []
    turn(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    assert named(world) == [(UNEXPECTED, "11900", "10000")]


def test_a_part_of_an_unexpected_charge_that_the_bank_has_waits_until_it_has_decided(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.control("dispute", payment_intent=late, status="needs_response", amount=19_00)
    world.notify(late, "charge.dispute.created")
    assert (named(world), waiting(world)) == ([(UNEXPECTED, "11900", "1900")], [True])
    turn(world, late, "lost")
    world.notify(late, "charge.dispute.closed")
    assert (named(world), waiting(world)) == ([(UNEXPECTED, "11900", "1900")], [False])


def test_a_sum_in_another_currency_of_an_unexpected_charge_waits_until_the_bank_has_decided(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    made = dispute(world, late)
    world.stripe.control("change", id=made, values={"currency": "usd"})
    for status, waits in (("needs_response", True), ("lost", False)):
        turn(world, late, status)
        world.notify(late, "charge.dispute.updated")
        assert waiting(world) == [waits]
