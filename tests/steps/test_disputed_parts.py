"""A dispute that was decided for us, or about a part of a charge: what is owed is said to be owed, and nothing else."""

import re
from dataclasses import replace
from uuid import UUID

import pytest

from models.orders import OrderEvent
from models.states import DisputeStatus, OrderStatus, Step
from tasks import wiring
from tasks.errors import Misconfigured
from tasks.operating import outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.resumption import Resumption, resume
from tasks.ports import Dispute
from tasks.refunds import disputes
from tests.support.disputes import (
    BY_BANK,
    bought,
    dispute,
    dispute_part,
    give_back,
    named,
    told_by_whom,
)
from tests.support.payment import given_up_and_paid_late, refund_by_hand, refundable
from tests.support.world import World

ALL_BUT_DISPUTES = ["rak_customer_write", "rak_payment_method_write", "rak_payment_intent_write", "rak_charge_write"]


def parked(world: World, order_id: UUID) -> str:
    """Why the order's refund parks, without ids."""
    with pytest.raises(Misconfigured):
        world.run(order_id)
    return re.sub(r"(du|pi)_\w+", r"\1_1", str(world.order(order_id).last_error))


def taken(status: DisputeStatus, amount_minor: int, currency: str = "EUR") -> Dispute:
    return Dispute("du_1", status, amount_minor, currency, reason="general", refundable=False)


@pytest.mark.parametrize(
    ("disputed", "left"),
    [
        ([], 0),
        ([taken(DisputeStatus.LOST, 118_99)], 1),
        ([taken(DisputeStatus.LOST, 119_00)], 0),
        ([taken(DisputeStatus.LOST, 119_01)], 0),
        ([taken(DisputeStatus.LOST, 19_00), taken(DisputeStatus.CHARGEBACK, 20_00)], 80_00),
        ([taken(DisputeStatus.LOST, 19_00), taken(DisputeStatus.WON, 100_00)], 100_00),
        ([taken(DisputeStatus.WON, 19_00)], 119_00),
        ([taken(DisputeStatus.WON, 19_00, "USD")], 119_00),
        ([replace(taken(DisputeStatus.WON, 19_00), refundable=True)], 0),
        ([taken(DisputeStatus.LOST, 19_00, "USD")], 0),
    ],
)
def test_what_the_bank_left_is_computed_in_one_currency(disputed: list[Dispute], left: int) -> None:
    assert disputes.not_taken_minor(disputed, amount_minor=119_00, currency="EUR") == left


def test_a_parked_refund_is_said_to_be_owed_once_its_dispute_was_won(world: World) -> None:
    _, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute(world, charge)
    assert "do not give it back in any other way" in parked(world, order_id)
    dispute(world, charge, "won")
    resume_refund(world, order_id)
    why = parked(world, order_id)
    assert "the dispute du_1 of pi_1 was won" in why
    assert "119.00 EUR of this refund is owed still: pay that by other means" in why
    assert outside_refunds.settle(order_id, by="Olga", why="transfer")
    assert world.run(order_id).status is OrderStatus.REFUNDED


def test_what_the_dashboard_gave_back_before_a_dispute_was_won_is_not_owed_again(world: World) -> None:
    _, order_id = refundable(world)
    refund_by_hand(world, order_id, 50_00)
    dispute_part(world, world.charge_ref(order_id), 69_00, "won")
    assert parked(world, order_id).startswith(
        "refund_payment: the dispute du_1 of pi_1 was won, so the money is with you, and 69.00 EUR of this refund is owed still: pay that by other means"
    )


def test_what_the_dashboard_gave_back_of_an_unexpected_charge_before_its_dispute_was_won_is_not_owed_again(
    world: World,
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 50_00})
    dispute_part(world, late, 69_00, "won")
    for event in ("updated", "closed"):
        world.notify(late, f"charge.dispute.{event}")
    [refused] = world.noted(order_id, "refund.refused")
    assert refused["error"].startswith(
        f"69.00 EUR of unexpected charge {late} is still the customer's, though its dispute"
    )


def test_a_parked_refund_whose_dispute_cannot_be_looked_up_is_not_said_to_be_owed(world: World) -> None:
    _, order_id = refundable(world)
    dispute(world, world.charge_ref(order_id), "won")
    world.stripe.control("restricted-key", key="rk_test_no_disputes", permissions=ALL_BUT_DISPUTES)
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(api_key="rk_test_no_disputes")))
    assert "do not give it back in any other way" in parked(world, order_id)


def resume_refund(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        resume(session, order_id, Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="Olga")
    world.run(order_id)  # the key of the first request is spent
    world.let_waits_run_out(order_id)


def test_of_a_parked_refund_of_which_the_bank_took_a_part_for_good_the_rest_is_owed(world: World) -> None:
    _, order_id = refundable(world)
    dispute_part(world, world.charge_ref(order_id), 19_00)
    assert parked(world, order_id).startswith(
        "refund_payment: the customer's bank has taken 19.00 EUR of pi_1 back (dispute du_1, for good, lost): do not pay that. "
        "The remaining 100.00 EUR is owed still: pay only that by other means."
    )


@pytest.mark.parametrize(
    ("ends", "owed"),
    [
        ("won", "119.00 EUR of this refund is owed still: pay that by other means"),
        ("lost", "The remaining 100.00 EUR is owed still: pay only that by other means"),
    ],
)
def test_of_a_parked_refund_of_which_the_bank_took_a_part_one_sum_is_owed_once_it_has_decided(
    world: World, ends: str, owed: str
) -> None:
    _, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute_part(world, charge, 19_00, "needs_response")
    why = parked(world, order_id)
    assert "is owed still" not in why
    assert why.startswith(
        "refund_payment: the customer's bank has taken 19.00 EUR of pi_1 back (dispute du_1, not decided yet); "
        "do not give it back in any other way: the customer would be paid twice. Do not pay the remaining 100.00 EUR yet either: "
        "one sum is owed once the dispute is closed, and the order, resumed then, names it."
    )
    with pytest.raises(NotPossible, match="has not decided yet"):
        outside_refunds.settle(order_id, by="Olga", why="rest by transfer", rest_paid=True)
    dispute_part(world, charge, 19_00, ends)
    resume_refund(world, order_id)
    assert owed in parked(world, order_id)


def test_a_parked_refund_of_which_the_bank_took_a_part_is_settled_once_the_rest_was_paid(world: World) -> None:
    _, order_id = refundable(world)
    dispute_part(world, world.charge_ref(order_id), 19_00)
    parked(world, order_id)
    with pytest.raises(NotPossible, match=r"pay the remaining 100.00 EUR"):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert outside_refunds.settle(order_id, by="Olga", why="and transfer", rest_paid=True)
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_part_that_the_bank_took_ends_nothing_before_the_rest_was_paid(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute_part(world, charge, 19_00, "needs_response")
    with pytest.raises(NotPossible, match=r"The remaining 100.00 EUR it has left with you"):
        give_back(order_id)
    dispute_part(world, charge, 19_00)
    told = r"taken only 19.00 EUR .* pay the remaining 100.00 EUR by other means first; .* --rest-paid"
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)
    with pytest.raises(NotPossible, match=told):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")
    assert outside_refunds.settle(order_id, by="Olga", why="and transfer", rest_paid=True)
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_of_two_parts_that_the_bank_took_for_good_the_sum_is_named(world: World) -> None:
    _, order_id, charge = bought(world)
    for part in (19_00, 20_00):
        dispute_part(world, charge, part)
    told = r"taken only 39.00 EUR .* \(disputes du_\w+, du_\w+, lost\), .* pay the remaining 80.00 EUR"
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)


def test_two_disputes_that_took_all_of_a_charge_together_are_told_as_the_banks(world: World) -> None:
    ada, order_id, charge = bought(world)
    for part in (19_00, 100_00):
        dispute_part(world, charge, part)
    assert outside_refunds.settle(order_id, by="Olga", why="disputes lost")
    assert (world.run(order_id).status, told_by_whom(world, ada)) == (OrderStatus.REFUNDED, BY_BANK)


@pytest.mark.parametrize("parked_before", [True, False])
def test_a_sum_in_another_currency_is_named_and_ends_nothing_until_the_rest_is_said_to_be_paid(
    world: World, *, parked_before: bool
) -> None:
    if parked_before:
        _, order_id = refundable(world)
        charge = world.charge_ref(order_id)
    else:
        _, order_id, charge = bought(world)
    dispute_part(world, charge, 19_00)
    [lost] = world.stripe.client().v1.disputes.list({"payment_intent": charge}).data
    world.stripe.control("change", id=lost.id, values={"currency": "usd"})
    if parked_before:
        parked(world, order_id)
    told = rf"taken 19.00 USD of what order \d+ was charged back for good \(dispute {lost.id}, lost\), which was 119.00 EUR: .* --rest-paid"
    with pytest.raises(NotPossible, match=told):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert outside_refunds.settle(order_id, by="Olga", why="rest by transfer", rest_paid=True)
    assert world.run(order_id).status is OrderStatus.REFUNDED


@pytest.mark.parametrize("told", [True, False])
def test_what_the_bank_left_and_the_dashboard_gave_back_is_not_owed_again(world: World, *, told: bool) -> None:
    _, order_id, charge = bought(world)
    refund_by_hand(world, order_id, 19_00)
    if told:
        world.notify(charge, "charge.refunded")
    dispute_part(world, charge, 100_00)
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_what_the_bank_left_of_an_unexpected_charge_is_not_owed_while_it_is_disputed_as_well(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    for part, status in ((19_00, "needs_response"), (19_00, "lost"), (100_00, "needs_response"), (100_00, "won")):
        dispute_part(world, late, part, status)
        for event in ("updated", "funds_withdrawn"):
            world.notify(late, f"charge.dispute.{event}")
    owed = f"100.00 EUR of unexpected charge {late} is still the customer's: the bank took only a part"
    rows = world.rows(OrderEvent, order_id=order_id, kind="refund.refused")
    refused = [row.facts["error"] for row in sorted(rows, key=lambda row: row.id)]
    assert [said.startswith(owed) for said in refused] == [True, False, True]
    assert re.fullmatch(
        rf"{late} is disputed \(dispute du_\w+, not decided yet\): do not give it back in any other way: the customer would be paid twice",
        refused[1],
    )


def test_what_the_bank_left_of_an_unexpected_charge_is_for_a_person_to_give_back(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute_part(world, late, 19_00)
    for event in ("updated", "closed"):
        world.notify(late, f"charge.dispute.{event}")
    [refused] = world.noted(order_id, "refund.refused")
    assert refused["error"].startswith(f"100.00 EUR of unexpected charge {late} is still the customer's")
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "1900")]
