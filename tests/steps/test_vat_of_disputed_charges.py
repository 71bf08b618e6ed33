"""VAT that turns out not to be due, of a charge that the customer's bank has taken back: the customer gets it once, from the bank or from us."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.accounts import VatCheck
from models.orders import Order
from models.states import DisputeStatus, OrderStatus
from models.vat_follow_ups import FollowUpOutcome
from tasks.operating import dispute_settlements, outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.personal_data.erasure import NotErasable
from tasks.policy import VatOutage
from tasks.ports import Dispute
from tasks.refunds import disputes
from tests.steps.test_erasure import erase
from tests.support.disputes import dispute_part, happens, turn
from tests.support.payment import refund_by_hand
from tests.support.places import at
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up, nothing_differs
from tests.support.world import Customer, World

DAY = 24 * 60


def loses(world: World, order: Order, minor: int) -> None:
    """The customer's bank takes that back for good."""
    charge = world.charge_ref(order.id)
    dispute_part(world, charge, minor)
    world.notify(charge, "charge.dispute.closed")


def told(world: World, order: Order) -> Mapping[str, Any]:
    """What the timeline says of the registry's answer."""
    [facts] = world.noted(order.id, "vat.followed_up")
    return facts


def needed_for(customer: Customer) -> str:
    with pytest.raises(NotErasable) as refused:
        erase(customer)
    _, reason = str(refused.value).splitlines()
    return reason


def test_vat_that_the_bank_has_is_not_credited_until_the_dispute_was_won(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    happens(world, charge, "needs_response")
    for minutes in (6, 20):
        assert ask_again(world, minutes=minutes) == 1
        assert (world.balance(eva), follow_up(world, order).outcome) == (0, None)
    assert len(world.noted(order.id, "vat.credit_withheld")) == 1
    happens(world, charge, "won")
    assert ask_again(world, minutes=DAY) == 1
    assert (world.balance(eva), follow_up(world, order).outcome) == (20_00, FollowUpOutcome.VAT_CREDITED)
    assert nothing_differs(world)


def test_the_answer_that_came_during_the_dispute_counts_once_it_was_won(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    happens(world, charge, "needs_response")
    ask_again(world)
    [valid] = world.rows(VatCheck, status="valid")
    happens(world, charge, "won")
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=80 * DAY)
    row = follow_up(world, order)
    assert (world.balance(eva), row.outcome, row.vat_check_id) == (20_00, FollowUpOutcome.VAT_CREDITED, valid.id)


def test_as_long_as_vat_is_withheld_the_registry_is_not_asked_again(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    happens(world, world.charge_ref(order.id), "needs_response")
    ask_again(world)
    world.vies.fail("MS_UNAVAILABLE")
    for _ in range(3):
        assert ask_again(world, minutes=DAY) == 1
    assert [check.status for check in world.rows(VatCheck) if check.asked_at > order.as_of] == ["valid"]


def test_an_answer_that_comes_after_the_one_that_is_kept_is_not_acted_on(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    happens(world, charge, "needs_response")
    world.vies.register(NUMBER, status="invalid")

    def another_worker_has_heard_that_it_is_valid() -> None:
        world.vies.register(NUMBER, status="valid")
        ask_again(world, minutes=20)

    with at("vat_follow_up.answered", another_worker_has_heard_that_it_is_valid):
        ask_again(world)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (None, 0)
    happens(world, charge, "won")
    ask_again(world, minutes=DAY)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (FollowUpOutcome.VAT_CREDITED, 20_00)


@pytest.mark.parametrize(("lost", "owed"), [(19_00, {"owed_minor": 1_00}), (20_00, {}), (120_00, {}), (120_01, {})])
def test_vat_is_not_credited_any_more_once_the_dispute_is_lost_and_what_the_bank_left_of_it_is_named(
    world: World, lost: int, owed: dict[str, int]
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, lost)
    with capture_logs() as logged:
        ask_again(world)
    row = follow_up(world, order)
    assert (row.outcome, row.letter_owed, world.balance(eva)) == (FollowUpOutcome.CONFIRMED, False, 0)
    assert told(world, order) == {"answer": "valid", "outcome": "confirmed", **owed}
    assert [line["owed_minor"] for line in logged if line["event"].startswith("VAT is owed: ")] == [*owed.values()]
    assert ask_again(world, minutes=400 * DAY) == 0


def test_what_the_dashboard_refunded_of_vat_that_is_not_due_is_not_named_as_owed(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    refund_by_hand(world, order.id, 70)
    world.notify(world.charge_ref(order.id), "charge.refunded")
    loses(world, order, 19_00)
    ask_again(world)
    assert told(world, order)["owed_minor"] == 30


def test_what_the_bank_took_in_another_currency_counts_as_all_of_the_vat(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    lost = Dispute("du_1", DisputeStatus.LOST, 1_00, "USD", reason="general", refundable=False)
    with world.begin() as session:
        disputes.note(session, order.id, 1, [lost], newest=None)
    ask_again(world)
    assert told(world, order) == {"answer": "valid", "outcome": "confirmed"}


def test_vat_of_a_charge_with_a_lost_dispute_waits_for_another_that_is_undecided(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 19_00)
    dispute_part(world, world.charge_ref(order.id), 10_00, "needs_response")
    world.notify(world.charge_ref(order.id), "charge.dispute.created")
    ask_again(world)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (None, 0)


def test_a_lost_dispute_that_was_recorded_ends_the_order_and_leaves_no_vat_to_be_credited(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    happens(world, world.charge_ref(order.id), "needs_response")
    ask_again(world)
    happens(world, world.charge_ref(order.id), "lost")
    outside_refunds.settle(order.id, by="Olga", why="dispute lost")
    assert world.run(order.id).status is OrderStatus.REFUNDED
    ask_again(world, minutes=DAY)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (FollowUpOutcome.ORDER_ENDED, 0)
    assert nothing_differs(world)


def test_a_person_whose_order_waits_for_a_dispute_can_be_erased_once_that_was_decided(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    happens(world, charge, "needs_response")
    ask_again(world)
    assert needed_for(eva) == (
        f"order {order.number} awaits the end of the dispute of what paid for it, as VAT is credited if that is won: answer it or accept it in the "
        "provider's dashboard. Within a day after its end is noted this ends by itself: docs/disputes.md, A disputed charge"
    )
    happens(world, charge, "lost")
    assert needed_for(eva) == (
        f"order {order.number} awaits the VAT registry's answer: it is asked at least once a day until it gives one"
    )
    ask_again(world, minutes=DAY)
    assert erase(eva).erasure_id is not None


def test_before_the_registry_has_answered_it_and_the_dispute_are_in_the_way_of_erasing(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    happens(world, world.charge_ref(order.id), "needs_response")
    both = f"(?s)order {order.number} awaits the VAT registry's answer: .*the bank has not decided yet about a charge of order {order.number} "
    with pytest.raises(NotErasable, match=both):
        erase(eva)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("minor", [120_00, 19_00])
def test_vat_is_credited_once_the_customer_has_paid_again_what_the_bank_took(
    world: World, minor: int, *, answered: bool
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = world.charge_ref(order.id)
    dispute_part(world, charge, minor, "needs_response")
    world.notify(charge, "charge.dispute.created")
    if answered:
        ask_again(world)
    turn(world, charge, "lost")
    world.notify(charge, "charge.dispute.closed")
    dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May", paid_again=True)
    ask_again(world, minutes=DAY)
    assert (world.balance(eva), follow_up(world, order).outcome) == (20_00, FollowUpOutcome.VAT_CREDITED)
    assert nothing_differs(world)


@pytest.mark.parametrize(("lost", "owed"), [(19_00, {"owed_minor": 1_00}), (120_00, {})])
def test_vat_of_what_the_seller_left_to_the_customer_is_not_credited(
    world: World, lost: int, owed: dict[str, int]
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, lost)
    dispute_settlements.settle(order.id, by="Olga", why="left to them")
    ask_again(world)
    assert (world.balance(eva), follow_up(world, order).outcome) == (0, FollowUpOutcome.CONFIRMED)
    assert told(world, order) == {"answer": "valid", "outcome": "confirmed", **owed}


def test_vat_is_credited_also_if_that_it_was_paid_again_is_said_later_but_before_the_registry_answers(
    world: World,
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 50_00)
    dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May")
    dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May", paid_again=True)
    ask_again(world)
    assert (world.balance(eva), follow_up(world, order).outcome) == (20_00, FollowUpOutcome.VAT_CREDITED)


def test_that_it_was_paid_again_is_not_added_once_the_vat_was_followed_up_without_it(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 50_00)
    dispute_settlements.settle(order.id, by="Olga", why="left to them")
    ask_again(world)
    with pytest.raises(NotPossible) as refused:
        dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May", paid_again=True)
    why = (
        r"no lost dispute of order 1001 is left to settle: dispute du_\w+ was settled by Olga \(left to them\), without --paid-again\. "
        r"That is added no more, as the VAT was followed up \(vat\.followed_up in the timeline\); what is owed of it then: docs/disputes\.md, VAT of a disputed charge"
    )
    assert re.fullmatch(why, str(refused.value))
    assert len(world.noted(order.id, "dispute.settled")) == 1


def test_vat_of_a_part_that_another_dispute_took_is_not_credited_as_the_first_was_paid_again(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    loses(world, order, 12_00)
    dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May", paid_again=True)
    loses(world, order, 19_00)
    ask_again(world)
    assert (world.balance(eva), told(world, order)["owed_minor"]) == (0, 1_00)
