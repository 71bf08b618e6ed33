"""A refund made in the provider's dashboard fails after a person recorded the rest as given back by other means: the customer is short of it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
import structlog

from models import attention, timeline
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from models.timeline_kinds import Kind
from tasks.errors import Misconfigured
from tasks.operating import (
    dispute_notes,
    letters_again,
    order_story,
    outside_refunds,
    refund_notes,
    resumption,
    unexpected_refunds,
)
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.outside_refunds import Recorded
from tasks.refunds import refunding
from tests.steps.test_changes_of_refunded_periods import goes_back
from tests.steps.test_parts_refunded_elsewhere import vat_is_left_to_a_person
from tests.steps.test_recorded_sums import BACK, UNEXPECTED, lose, notice, refund_in_dashboard
from tests.steps.test_refunds_elsewhere import comes_back
from tests.support.disputes import bought, dispute_part, named
from tests.support.payment import given_up_and_paid_late, refund_by_hand
from tests.support.world import Customer, World

SHORT = "customer is short of what was recorded as refunded"


def settle(order_id: UUID, *, rest_paid: bool = False, paid: str | None = None) -> Recorded:
    return outside_refunds.settle(order_id, by="Olga", why="transfer", rest_paid=rest_paid, paid=paid)


def recorded(world: World) -> tuple[Customer, UUID, str]:
    """Of 120.00 the dashboard gave back 7.00 and 100.00, and a person the VAT of 13.00 that was left."""
    eva, order_id = vat_is_left_to_a_person(world)
    goes_back(world, order_id, 100_00)
    assert settle(order_id, rest_paid=True).owed_minor == 13_00
    return eva, order_id, world.charge_ref(order_id)


def fails(world: World, customer: Customer, charge: str, amount: int) -> list[object]:
    """What the log says is short then."""
    comes_back(world, customer, amount)
    return hears(world, charge)


def hears(world: World, charge: str) -> list[object]:
    with structlog.testing.capture_logs() as logged:
        world.notify(charge, "refund.failed")
    return [(entry["order"], entry["short"]) for entry in logged if entry["event"] == SHORT]


def settled_sums(world: World, order_id: UUID) -> list[tuple[int, int]]:
    entries = world.noted(order_id, "refund.settled_outside")
    return [(entry["owed_minor"], entry["by_bank_minor"]) for entry in entries]


def resume(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        planned = resumption.plan_resumption(order_story.tell(session, order_id))
        resumption.resume(session, order_id, planned, by="Olga")


def test_before_the_notice_the_order_is_parked_and_the_notice_names_what_came_once_that_was_paid(world: World) -> None:
    eva, order_id, charge = recorded(world)
    before = world.letters(order_id)
    assert fails(world, eva, charge, 100_00) == [(1001, "100.00 EUR")]
    with pytest.raises(
        Misconfigured,
        match=r"100\.00 EUR of what went to the card has failed since\. Run `prorata orders refunded-outside 1001 --why \"\.\.\.\"` first",
    ):
        world.run(order_id)
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.SEND_REFUND_NOTICE)
    assert world.letters(order_id) == before
    with pytest.raises(
        NotPossible, match=r"is owed 100\.00 EUR of .* pay that by other means first; .* --rest-paid --paid 100\.00 "
    ):
        settle(order_id)
    assert settle(order_id, rest_paid=True) == Recorded(owed_minor=100_00, vat_minor=0, currency="EUR")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert settled_sums(world, order_id) == [(13_00, 0), (100_00, 0)]
    assert "4242 €7.00 Refunded in another way, not to your card €113.00 Total refunded €120.00" in notice(world, eva)
    assert named(world) == []


def test_after_the_notice_it_is_recorded_once_more_and_the_notice_can_be_sent_again(world: World) -> None:
    eva, order_id, charge = recorded(world)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    told = "4242 €107.00 Refunded in another way, not to your card €13.00 Total"
    assert told in notice(world, eva)
    assert fails(world, eva, charge, 100_00) == [(1001, "100.00 EUR")]
    assert hears(world, charge) == [], "once"
    assert world.order(order_id).status is OrderStatus.REFUNDED
    assert named(world) == [(BACK, "12000", "2000")]
    with pytest.raises(NotPossible, match=r"100\.00 EUR of what went to the card has failed since"):
        letters_again.send_again(order_id, None, by="Olga", why="asked")
    assert settle(order_id, rest_paid=True).owed_minor == 100_00
    assert (world.order(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])
    with pytest.raises(NotPossible, match="what order 1001 was charged is back already"):
        settle(order_id, rest_paid=True)
    letters_again.send_again(order_id, None, by="Olga", why="asked")
    assert "4242 €7.00 Refunded in another way, not to your card €113.00 Total" in notice(world, eva)


def test_who_records_it_twice_at_once_records_it_once(world: World) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails(world, eva, charge, 100_00)
    together = Barrier(2)

    def record() -> int | None:
        together.wait()
        try:
            return settle(order_id, rest_paid=True).owed_minor
        except NotPossible:
            return None

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(record) for _ in range(2)]
        assert sorted(str(each.result()) for each in futures) == ["10000", "None"]
    assert settled_sums(world, order_id) == [(13_00, 0), (100_00, 0)]
    assert named(world) == []


def test_each_that_fails_is_recorded(world: World) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails(world, eva, charge, 100_00)
    settle(order_id, rest_paid=True)
    assert fails(world, eva, charge, 7_00) == [(1001, "7.00 EUR")]
    assert settle(order_id, rest_paid=True).owed_minor == 7_00
    assert named(world) == []


def test_one_that_is_made_again_in_the_dashboard_needs_no_record(world: World) -> None:
    eva, order_id, charge = recorded(world)
    fails(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    assert "`prorata orders note-refunds 1001`" in (world.order(order_id).last_error or "")
    refund_by_hand(world, order_id, 100_00)  # and its event is missed
    refund_notes.note_now(order_id)
    resume(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert "4242 €107.00" in notice(world, eva)
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id)
    assert named(world) == []


def test_one_that_was_made_after_the_record_is_not_missed(world: World) -> None:
    """Of a charge that a person gave back: the customer had it twice."""
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    refund_in_dashboard(world, charge, 5_00)
    assert named(world) == [(BACK, "12000", "12500")]
    assert fails(world, eva, charge, 5_00) == []
    assert named(world) == []
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id, rest_paid=True)


def test_one_beside_a_lost_dispute_is_recorded(world: World) -> None:
    ada, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 50_00)
    lose(world, charge, 69_00)
    assert settle(order_id).owed_minor == 0
    world.run(order_id)
    assert fails(world, ada, charge, 50_00) == [(1001, "50.00 EUR")]
    settle(order_id, rest_paid=True)
    assert settled_sums(world, order_id) == [(0, 69_00), (50_00, 69_00)]
    assert named(world) == []


def test_one_beside_a_dispute_of_all_is_not_missed(world: World) -> None:
    ada, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 50_00)
    lose(world, charge, 119_00)
    settle(order_id)
    assert fails(world, ada, charge, 50_00) == []
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def unexpected_charge_given_back_in_parts(world: World, ada: Customer) -> tuple[UUID, str]:
    """Of which order, and its ref: 50.00 of it in the Dashboard, and what was left by a transfer that is recorded."""
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    return order_id, late


def test_one_of_an_unexpected_charge_is_recorded(world: World) -> None:
    ada = world.customer()
    order_id, late = unexpected_charge_given_back_in_parts(world, ada)
    assert fails(world, ada, late, 50_00) == [(world.order(order_id).number, "50.00 EUR")]
    assert named(world) == [(UNEXPECTED, "11900", "6900")]
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (50_00, "EUR")
    assert named(world) == []


def test_the_news_of_a_charge_are_taken_whose_record_is_of_an_earlier_commit(world: World) -> None:
    """It had `owed_minor` only."""
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    [charge] = world.rows(ChargeAttempt, order_id=order_id, ref=late)
    with world.begin() as session:
        order = session.get_one(Order, order_id)
        made = refunding.start(session, order, charge, amount_minor=119_00, reason="refunded-outside")
        refunding.settle_outside(session, made, by_bank=False)
        facts = {"attempt": made.attempt, "amount_minor": 119_00, "owed_minor": 69_00}
        timeline.note(session, order_id, Kind.REFUND_SETTLED_OUTSIDE, facts)
    assert fails(world, ada, late, 50_00) == [(world.order(order_id).number, "50.00 EUR")]
    assert [entry["amount_minor"] for entry in world.noted(order_id, "refund.elsewhere_failed")] == [50_00]


def fails_disputed(world: World, customer: Customer, charge: str, amount: int) -> list[object]:
    """Because the customer's bank takes the money: what the log says is short then."""
    dispute_part(world, charge, amount, "needs_response")
    return fails(world, customer, charge, amount)


def decided(world: World, charge: str, status: str, amount: int) -> None:
    made = world.stripe.client().v1.disputes.list({"payment_intent": charge}).data
    [ref] = [each.id for each in made if each.amount == amount]
    world.stripe.control("change", id=ref, values={"status": status})


def ends(world: World, charge: str, status: str, amount: int) -> list[object]:
    """The dispute of this amount: what the log says is short then."""
    decided(world, charge, status, amount)
    with structlog.testing.capture_logs() as logged:
        world.notify(charge, "charge.dispute.closed")
    return [(entry["order"], entry["short"]) for entry in logged if entry["event"] == SHORT]


def test_nothing_is_told_to_be_paid_while_the_bank_has_not_decided_about_it(world: World) -> None:
    eva, order_id, charge = recorded(world)
    assert fails_disputed(world, eva, charge, 100_00) == []
    with pytest.raises(
        Misconfigured, match=r"\(dispute du_\w+, chargeback\)\. It has not decided yet; do not give"
    ) as told:
        world.run(order_id)
    assert "refunded-outside" not in str(told.value)
    with pytest.raises(NotPossible, match="has not decided yet"):
        settle(order_id, rest_paid=True)
    assert ends(world, charge, "won", 100_00) == [(1001, "100.00 EUR")]
    assert settle(order_id, rest_paid=True).owed_minor == 100_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


@pytest.mark.parametrize("status", ["won", "lost"])
@pytest.mark.parametrize("heard", [True, False])
def test_an_order_parked_until_the_bank_decides_says_what_is_to_be_done_once_it_has(
    world: World, status: str, *, heard: bool
) -> None:
    eva, order_id, charge = recorded(world)
    fails_disputed(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    assert "has not decided yet; do not give it back" in said(world, order_id)
    decided(world, charge, status, 100_00)
    if heard:
        world.notify(charge, "charge.dispute.closed")
    else:
        dispute_notes.note_now(order_id)
    told = said(world, order_id)
    assert told.startswith("send_refund_notice: the refund_notice of order 1001 says what was refunded, but 100.00 EUR")
    assert "decided" not in told
    assert "Run `prorata orders refunded-outside 1001 --why" in told
    assert told.endswith("`prorata orders resume 1001 --without-letters` ends the order without the letter")
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION


def test_an_order_parked_because_of_a_failed_refund_says_that_it_can_be_resumed_once_that_was_made_again(
    world: World,
) -> None:
    eva, order_id, charge = recorded(world)
    fails(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    refund_by_hand(world, order_id, 100_00)
    refund_notes.note_now(order_id)
    assert said(world, order_id) == (
        "send_refund_notice: the refund_notice of order 1001 says what is true again: `prorata orders resume 1001` sends it"
    )


def test_it_says_so_too_once_the_record_has_found_that_it_was_made_again(world: World) -> None:
    eva, order_id, charge = recorded(world)
    fails(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    refund_by_hand(world, order_id, 100_00)  # and its event is missed
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id)
    assert said(world, order_id).endswith("says what is true again: `prorata orders resume 1001` sends it")


def test_it_says_what_went_to_the_card_beyond_what_was_recorded(world: World) -> None:
    eva, order_id, charge = recorded(world)
    fails(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    refund_by_hand(world, order_id, 113_00)  # all that the provider still refunds, though 13.00 was paid
    refund_notes.note_now(order_id)
    assert said(world, order_id) == (
        "send_refund_notice: the refund_notice of order 1001 says what was refunded, but 13.00 EUR more went to the card, which the customer has twice: "
        "tell them. `prorata orders resume 1001` sends it as it is"
    )


def test_an_order_parked_at_its_notice_for_another_reason_goes_on_saying_that(world: World) -> None:
    _, order_id, charge = recorded(world)
    with world.begin() as session:
        attention.park(session, order_id, error="send_refund_notice: the mail server refuses the password")
    dispute_part(world, charge, 10_00, "won")
    world.notify(charge, "charge.dispute.closed")
    assert said(world, order_id) == "send_refund_notice: the mail server refuses the password"


def said(world: World, order_id: UUID) -> str:
    """What the parked order needs a person for."""
    return world.order(order_id).last_error or ""


def test_what_the_bank_has_of_what_was_recorded_as_refunded_is_recorded_and_nothing_is_owed(world: World) -> None:
    eva, order_id, charge = recorded(world)
    fails_disputed(world, eva, charge, 100_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    assert ends(world, charge, "lost", 100_00) == []
    with pytest.raises(NotPossible, match="no rest is left to pay: run it without --rest-paid"):
        settle(order_id, rest_paid=True)
    assert settle(order_id).owed_minor == 0
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert settled_sums(world, order_id) == [(13_00, 0), (0, 100_00)]
    assert "Returned by your bank €100.00" in notice(world, eva)
    assert named(world) == []
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id)


def test_what_the_bank_has_of_an_unexpected_charge_instead_of_a_refund_is_recorded(world: World) -> None:
    ada = world.customer()
    order_id, late = unexpected_charge_given_back_in_parts(world, ada)
    assert fails_disputed(world, ada, late, 50_00) == []
    assert ends(world, late, "lost", 50_00) == []
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="dispute lost") == (0, "EUR")
    assert named(world) == []
    with pytest.raises(NotPossible, match="is back already"):
        unexpected_refunds.settle(order_id, late, by="Olga", why="dispute lost")


def test_what_was_paid_is_not_recorded_if_another_sum_is_owed_by_now(world: World) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails(world, eva, charge, 100_00)
    comes_back(world, eva, 7_00)
    with pytest.raises(
        NotPossible, match=r"^100\.00 EUR was paid, but 107\.00 EUR of what order 1001 was charged is owed now"
    ):
        settle(order_id, rest_paid=True, paid="100.00")
    assert settled_sums(world, order_id) == [(13_00, 0)]
    assert settle(order_id, rest_paid=True, paid="107.00").owed_minor == 107_00
    assert named(world) == []


def test_what_was_paid_beside_a_dispute_is_not_recorded_if_a_refund_has_failed_meanwhile(world: World) -> None:
    ada, order_id, charge = bought(world)
    refund_in_dashboard(world, charge, 19_00)
    lose(world, charge, 50_00)
    with pytest.raises(NotPossible, match=r"pay the remaining 50\.00 EUR .* --rest-paid --paid 50\.00 "):
        settle(order_id)
    fails(world, ada, charge, 19_00)
    with pytest.raises(NotPossible, match=r"^50\.00 EUR was paid, but 69\.00 EUR of"):
        settle(order_id, rest_paid=True, paid="50.00")
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert settle(order_id, rest_paid=True, paid="69.00").owed_minor == 69_00


def test_what_was_paid_of_an_unexpected_charge_is_not_recorded_if_another_sum_is_owed(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)
    with pytest.raises(NotPossible, match=r"^50\.00 EUR was paid, but 69\.00 EUR of unexpected charge pi_"):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer", paid_now="50.00")
    with pytest.raises(
        NotPossible, match=r"^--paid must be an amount in EUR like 69\.00, and nothing else: got '69,00'"
    ):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer", paid_now="69,00")
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer", paid_now="69.00") == (69_00, "EUR")
