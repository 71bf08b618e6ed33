"""VAT that a person was told to pay by other means, of an order that is ended afterwards because of a dispute: it is not paid again with the rest."""

from uuid import UUID

import pytest

from tasks.operating import dispute_settlements, outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.policy import VatOutage
from tests.steps.test_changes_of_refunded_periods import goes_back
from tests.steps.test_refunds_elsewhere import comes_back
from tests.steps.test_vat_of_disputed_charges import loses, told
from tests.support.disputes import give_back, turn
from tests.support.vat_outage import ask_again, during_outage, nothing_differs
from tests.support.world import World


@pytest.mark.parametrize(("status", "owed", "without"), [("lost", "115.00", "100.00"), ("won", "120.00", "105.00")])
def test_vat_that_a_person_was_told_to_pay_is_not_paid_again_with_the_rest_of_an_order_that_is_ended(
    world: World, status: str, owed: str, without: str
) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 5_00)
    ask_again(world)
    assert told(world, order)["owed_minor"] == 15_00
    turn(world, world.charge_ref(order.id), status)
    advice = rf"pay (the remaining )?{owed} EUR by other means .*Of that 15.00 EUR is VAT that was to be paid by other means than a refund in the dashboard, once: if it was, pay only {without} EUR$"
    with pytest.raises(NotPossible, match=advice):
        give_back(order.id)
    if status == "lost":
        with pytest.raises(NotPossible, match=advice):
            outside_refunds.settle(order.id, by="Olga", why="dispute lost")
    recorded = outside_refunds.settle(order.id, by="Olga", why="rest by transfer", rest_paid=status == "lost")
    assert (recorded.owed_minor, recorded.vat_minor) == (int(owed.replace(".", "")), 15_00)
    assert nothing_differs(world)


def test_vat_that_a_person_was_told_to_pay_is_told_from_what_the_dashboard_and_the_bank_left(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 7_00)
    ask_again(world)
    loses(world, order, 50_00)
    with pytest.raises(
        NotPossible, match=r"remaining 63.00 EUR .* Of that 13.00 EUR is VAT .*: if it was, pay only 50.00 EUR$"
    ):
        give_back(order.id)
    loses(world, order, 60_00)
    with pytest.raises(NotPossible, match=r"remaining 3.00 EUR .* Of that 3.00 EUR is VAT .*: if it was, pay nothing$"):
        give_back(order.id)


def test_vat_that_is_owed_since_the_refund_of_it_failed_is_told_from_what_the_bank_left(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 7_00)
    ask_again(world)
    comes_back(world, eva, 7_00)
    loses(world, order, 90_00)
    advice = r"remaining 30.00 EUR .* Of that 20.00 EUR is VAT .*: if it was, pay only 10.00 EUR$"
    for command in (give_back, record):
        with pytest.raises(NotPossible, match=advice):
            command(order.id)
    recorded = outside_refunds.settle(order.id, by="Olga", why="rest by transfer", rest_paid=True)
    assert (recorded.owed_minor, recorded.vat_minor) == (30_00, 20_00)
    assert nothing_differs(world)


def record(order_id: UUID) -> None:
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")


def test_while_the_bank_has_not_decided_nobody_is_told_which_part_of_the_rest_to_pay(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 5_00)
    ask_again(world)
    turn(world, world.charge_ref(order.id), "needs_response")
    with pytest.raises(NotPossible, match=r"The remaining 115.00 EUR it has left with you\. Answer"):
        give_back(order.id)


def test_vat_that_a_person_was_told_to_pay_is_not_paid_again_with_the_rest_of_a_settled_dispute(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 5_00)
    ask_again(world)
    dispute_settlements.settle(order.id, by="Olga", why="left to them")
    advice = r"remaining 115.00 EUR in any case\. Of that 15.00 EUR is VAT .*: if it was, pay only 100.00 EUR; no command records that"
    with pytest.raises(NotPossible, match=advice):
        give_back(order.id)
