"""A dispute that is not decided, alone or beside another that is, though nothing was withdrawn for it yet: nothing is paid by other means or recorded until all are."""

import re
from collections.abc import Mapping
from uuid import UUID

import pytest

from models.states import OrderStatus
from tasks.errors import Misconfigured
from tasks.operating import outside_refunds, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.steps.test_disputed_parts import parked
from tests.steps.test_recorded_parts_that_fail import fails, recorded
from tests.steps.test_recorded_sums import refund_in_dashboard
from tests.support.disputes import bought, dispute, give_back, named, noted
from tests.support.payment import given_up_and_paid_late, refund_that_fails, refundable
from tests.support.world import World

UNDECIDED = r"has not decided yet; do not give it back in any other way"


def resolved_later(world: World, charge: str, amount: int) -> str:
    """A resolution prevented the dispute, and has withdrawn nothing yet: the provider would still refund the charge for all that it says."""
    made = dispute(world, charge, "prevented", amount=amount, case_type="resolution")
    changed(world, charge, made, {"balance_transactions": [], "is_charge_refundable": True})
    return made


def changed(world: World, charge: str, ref: str, values: Mapping[str, object]) -> None:
    world.stripe.control("change", id=ref, values=values)
    world.notify(charge, "charge.dispute.updated")


def took_nothing(world: World, charge: str, ref: str) -> None:
    changed(world, charge, ref, {"payment_method_details": {"type": "card", "card": {"case_type": "block"}}})


def withdrew(world: World, charge: str, ref: str, amount: int) -> None:
    moved = {"object": "balance_transaction", "amount": -amount, "currency": "eur"}
    changed(world, charge, ref, {"balance_transactions": [moved], "is_charge_refundable": False})


def decided(world: World, charge: str, status: str, amount: int) -> None:
    dispute(world, charge, status, amount=amount)
    world.notify(charge, "charge.dispute.closed")


def settle(order_id: UUID, *, rest_paid: bool = False) -> int | None:
    return outside_refunds.settle(order_id, by="Olga", why="dispute lost", rest_paid=rest_paid).owed_minor


@pytest.mark.parametrize("status", ["lost", "won"])
def test_while_another_is_not_decided_nothing_is_paid_or_recorded(world: World, status: str) -> None:
    _, order_id, charge = bought(world)
    decided(world, charge, status, 60_00)
    resolved_later(world, charge, 59_00)
    with pytest.raises(NotPossible, match=UNDECIDED):
        give_back(order_id)
    for rest_paid in (False, True):
        with pytest.raises(NotPossible, match=UNDECIDED):
            settle(order_id, rest_paid=rest_paid)
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_once_the_other_took_nothing_the_rest_is_owed(world: World) -> None:
    _, order_id, charge = bought(world)
    decided(world, charge, "lost", 60_00)
    took_nothing(world, charge, resolved_later(world, charge, 59_00))
    assert noted(world, order_id)[-1] == ("dispute.closed", "closed", 59_00)
    with pytest.raises(
        NotPossible, match=r"only 60\.00 EUR .* for good \(dispute du_\w+, lost\).* pay the remaining 59\.00 EUR"
    ):
        settle(order_id)
    assert settle(order_id, rest_paid=True) == 59_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_once_the_other_has_withdrawn_its_part_nothing_is_owed(world: World) -> None:
    _, order_id, charge = bought(world)
    decided(world, charge, "lost", 60_00)
    withdrew(world, charge, resolved_later(world, charge, 59_00), 59_00)
    assert settle(order_id) == 0
    [recorded] = world.noted(order_id, "refund.settled_outside")
    assert (recorded["owed_minor"], recorded["by_bank_minor"]) == (0, 119_00)
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_of_an_unexpected_charge_neither_sum_is_paid_or_recorded(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    decided(world, late, "lost", 60_00)
    waits = resolved_later(world, late, 40_00)
    assert "has not decided yet; do not give it back" in world.noted(order_id, "refund.refused")[-1]["error"]
    with pytest.raises(NotPossible, match=UNDECIDED):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    took_nothing(world, late, waits)
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (59_00, "EUR")
    assert named(world) == []


ALONE = (
    r"^the customer's bank may still take {} EUR of order \d+ \(dispute du_\w+\), about which it has not decided yet; do not give it back in any other way: "
    r"the customer would be paid twice\. Refund it in the provider's dashboard, which closes it, or wait until it is decided$"
)


def test_of_one_alone_nothing_is_paid_by_other_means_if_a_refund_of_what_was_recorded_failed(world: World) -> None:
    eva, order_id, charge = recorded(world)
    fails(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    waits = resolved_later(world, charge, 100_00)
    for rest_paid in (False, True):
        with pytest.raises(NotPossible, match=ALONE.format(r"100\.00")):
            settle(order_id, rest_paid=rest_paid)
    withdrew(world, charge, waits, 100_00)
    assert settle(order_id) == 0
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_of_one_alone_nothing_is_paid_by_other_means_if_the_card_takes_no_refund(world: World) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    waits = resolved_later(world, charge, 119_00)
    with pytest.raises(NotPossible, match=ALONE.format(r"119\.00")):
        settle(order_id)
    assert world.noted(order_id, "refund.settled_outside") == []
    withdrew(world, charge, waits, 119_00)
    assert settle(order_id) == 0
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_of_one_alone_nothing_of_an_unexpected_charge_is_paid_by_other_means(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    waits = resolved_later(world, late, 69_00)
    with pytest.raises(NotPossible, match=ALONE.format(r"69\.00")):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    took_nothing(world, late, waits)
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (69_00, "EUR")


ASKED = (
    r"the customer's bank has taken 60\.00 EUR of {} back for good \(dispute du_\w+, lost\), and may still take 59\.00 EUR \(dispute du_\w+\), about which it has not decided yet; "
    r"do not give it back in any other way: the customer would be paid twice\. Answer the inquiry in the provider's dashboard, and wait until it is closed"
)


def asks(world: World, charge: str, amount: int) -> str:
    made = dispute(world, charge, "warning_needs_response", amount=amount)
    world.notify(charge, "charge.dispute.created")
    return made


def test_while_the_bank_asks_about_the_rest_of_what_it_took_nothing_is_paid_or_recorded(world: World) -> None:
    _, order_id, charge = bought(world)
    decided(world, charge, "lost", 60_00)
    inquiry = asks(world, charge, 59_00)
    with pytest.raises(NotPossible, match=ASKED.format("order 1001")):
        give_back(order_id)
    for rest_paid in (False, True):
        with pytest.raises(NotPossible, match=ASKED.format("order 1001")):
            settle(order_id, rest_paid=rest_paid)
    changed(world, charge, inquiry, {"status": "warning_closed"})
    assert settle(order_id, rest_paid=True) == 59_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_refund_that_was_due_names_no_rest_while_the_bank_asks_about_it(world: World) -> None:
    _, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute(world, charge, "lost", amount=60_00)
    dispute(world, charge, "warning_needs_response", amount=59_00)
    assert re.match("refund_payment: " + ASKED.format("pi_1"), parked(world, order_id))


def test_a_refund_that_was_due_says_what_the_bank_took_for_good_and_what_it_still_may(world: World) -> None:
    _, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute(world, charge, "lost", amount=60_00)
    resolved_later(world, charge, 59_00)
    why = parked(world, order_id)
    assert "has taken 60.00 EUR of pi_1 back for good (dispute du_1, lost), and may still take 59.00 EUR" in why
    assert "119.00" not in why


def test_of_an_unexpected_charge_the_rest_is_called_off_while_the_bank_asks_about_it(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    decided(world, late, "lost", 60_00)
    inquiry = asks(world, late, 59_00)
    assert re.search(ASKED.format(late), world.noted(order_id, "refund.refused")[-1]["error"])
    with pytest.raises(NotPossible, match="Answer the inquiry"):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    changed(world, late, inquiry, {"status": "warning_closed"})
    assert world.noted(order_id, "refund.refused")[-1]["error"].startswith("59.00 EUR of unexpected charge")
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (59_00, "EUR")


def test_while_the_bank_only_asks_nothing_is_paid_by_other_means(world: World) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    asks(world, charge, 119_00)
    with pytest.raises(
        NotPossible,
        match=r"may still take 119\.00 EUR .* Refund it in the provider's dashboard, which closes it, or answer the inquiry there, and wait until it is closed$",
    ):
        settle(order_id)
