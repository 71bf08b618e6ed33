"""A lost dispute of another amount than when a person recorded what was given back: the customer has less than all since, or more."""

import re

import pytest

from models.states import OrderStatus, Step
from tasks.errors import Misconfigured
from tasks.operating import dispute_settlements, outside_refunds, resumption, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.steps.test_recorded_sums import lose, refund_in_dashboard
from tests.support.disputes import BY_BANK, bought, dispute, named, noted, told_by_whom, turn
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.world import World

LOST = "what the customer's bank took back (dispute du_1, lost)"


def lost_with(world: World, charge: str, minor: int) -> None:
    [made] = world.stripe.client().v1.disputes.list({"payment_intent": charge}).data
    world.stripe.control("change", id=made.id, values={"amount": minor})
    world.notify(charge, "charge.dispute.funds_reinstated")


@pytest.mark.parametrize(("first", "since"), [(119_00, 100_00), (100_00, 119_00)])
def test_what_the_bank_has_of_a_charge_is_named_if_it_is_not_what_was_recorded(
    world: World, first: int, since: int
) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost", amount=first)
    outside_refunds.settle(order_id, by="Olga", why="dispute lost", rest_paid=first < 119_00)
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])
    lost_with(world, charge, since)
    assert noted(world, order_id)[1:] == [("dispute.closed", "lost", since)]
    assert named(world) == [(LOST, str(first), str(since))]
    lost_with(world, charge, first)
    assert named(world) == []


@pytest.mark.parametrize(("status", "kept", "owed"), [("won", 0, 119_00), ("lost", 100_00, 19_00)])
def test_what_it_gave_up_of_a_charge_is_owed_and_recorded_once_more(
    world: World, status: str, kept: int, owed: int
) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost")
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    world.run(order_id)
    turn(world, charge, status)
    lost_with(world, charge, kept or 119_00)
    assert len(named(world)) == 1
    assert outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=True).owed_minor == owed
    assert [
        (entry["owed_minor"], entry["by_bank_minor"]) for entry in world.noted(order_id, "refund.settled_outside")
    ] == [(0, 119_00), (owed, kept)]
    assert (world.order(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_what_it_took_besides_is_not_recorded_but_said_to_be_there_twice(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost", amount=100_00)
    outside_refunds.settle(order_id, by="Olga", why="dispute lost, rest by transfer", rest_paid=True)
    world.run(order_id)
    lost_with(world, charge, 119_00)
    with pytest.raises(NotPossible, match=r"has 19\.00 EUR of what order 1001 was charged twice"):
        outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=True)


TWICE = (
    r"^the customer has 119\.00 EUR of {} twice: 69\.00 EUR was recorded as paid by `prorata orders refunded-outside`, "
    r"50\.00 EUR was refunded in the provider's dashboard, 119\.00 EUR was taken back by their bank \(lost\)\. "
    r"Pay nothing more, and send the bank proof of what the customer has besides$"
)


def test_what_it_took_of_a_charge_besides_a_refund_in_the_dashboard_and_what_was_paid_is_there_twice(
    world: World,
) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    refund_in_dashboard(world, charge, 50_00)
    assert outside_refunds.settle(order_id, by="Olga", why="transfer").owed_minor == 69_00
    world.run(order_id)
    lose(world, charge, 119_00)
    with pytest.raises(NotPossible, match=TWICE.format("what order 1001 was charged")):
        outside_refunds.settle(order_id, by="Olga", why="transfer")


def test_what_it_took_of_an_unexpected_charge_besides_a_refund_in_the_dashboard_and_what_was_paid_is_there_twice(
    world: World,
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (69_00, "EUR")
    lose(world, late, 119_00)
    twice = TWICE.format(f"unexpected charge {late}")
    assert re.search(twice, world.noted(order_id, "refund.refused")[-1]["error"])
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "23800")]
    with pytest.raises(NotPossible, match=twice):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")


def test_what_the_dashboard_refunds_besides_what_was_paid_is_there_twice_and_no_bank_needs_proof(
    world: World,
) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    outside_refunds.settle(order_id, by="Olga", why="transfer")
    world.run(order_id)
    refund_in_dashboard(world, charge, 50_00)
    with pytest.raises(
        NotPossible, match=r"has 50\.00 EUR of .* twice: .* 50\.00 EUR was refunded .*\. Pay nothing more$"
    ):
        outside_refunds.settle(order_id, by="Olga", why="transfer")


def test_a_notice_with_another_sum_than_the_bank_has_now_is_not_sent_by_itself(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, "lost")
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    lost_with(world, charge, 100_00)
    with pytest.raises(Misconfigured) as refused:
        world.run(order_id)
    assert re.sub(r"du_\w+", "du_1", str(refused.value)).startswith(
        "the refund_notice of order 1001 says what the customer's bank returns, but dispute du_1, lost with 119.00 EUR when that was recorded, "
        "is lost with 100.00 EUR now: docs/disputes.md, A disputed charge, says who has the money"
    )
    assert told_by_whom(world, ada) is None
    lost_with(world, charge, 119_00)
    assert (world.order(order_id).last_error or "").endswith(
        "says what is true again: `prorata orders resume 1001` sends it"
    )
    with world.begin() as session:
        at = Step.SEND_REFUND_NOTICE
        resumption.resume(session, order_id, resumption.Resumption(at, at), by="Olga")
    assert (world.run(order_id).status, told_by_whom(world, ada)) == (OrderStatus.REFUNDED, BY_BANK)


@pytest.mark.parametrize(("since", "has"), [(10_00, "11000"), (30_00, "13000")])
def test_what_it_has_of_an_unexpected_charge_is_named_until_what_that_leaves_is_recorded_too(
    world: World, since: int, has: str
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "lost", amount=19_00)
    world.notify(late, "charge.dispute.closed")
    unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    assert named(world) == []
    lost_with(world, late, since)
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", has)]
    if since == 10_00:
        assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (9_00, "EUR")
        assert named(world) == []


def test_what_it_has_is_named_if_it_is_not_what_a_dispute_was_settled_with(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost")
    dispute_settlements.settle(order_id, by="Olga", why="transfer", paid_again=True)
    assert named(world) == []
    lost_with(world, charge, 100_00)
    assert named(world) == [(LOST, "11900", "10000")]


def test_a_dispute_that_is_in_the_way_no_more_is_noted_with_what_is_recorded(world: World) -> None:
    """Won, and the provider would refund the charge again; the event is missed."""
    _, order_id, charge = bought(world)
    ref = dispute(world, charge, "lost")
    world.notify(charge, "charge.dispute.closed")
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    world.stripe.control(
        "change",
        id=ref,
        values={
            "status": "won",
            "is_charge_refundable": True,
            "balance_transactions": [
                {"object": "balance_transaction", "amount": each, "currency": "eur"} for each in (-119_00, 119_00)
            ],
        },
    )
    assert outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=True).owed_minor == 119_00
    assert [status for _, status, _ in noted(world, order_id)] == ["lost", "won"]
    assert named(world) == []
