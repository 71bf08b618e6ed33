"""`prorata orders note-disputes`: what the provider says of an order's disputes is noted where its events were missed, or forgotten.

And `dispute-settled`, for those that were lost.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from models.orders import OrderEvent
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.operating import dispute_notes, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.ports import Dispute
from tests.support.books import verified
from tests.support.command import without_log
from tests.support.disputes import bought, dispute, dispute_part, happens, named, noted, refused, turn
from tests.support.payment import charged_again, given_up_and_paid_late
from tests.support.world import World, change
from worker.commands import orders

pytestmark = pytest.mark.usefixtures("plugged_in")


def note_disputes(order_id: UUID, *words: str) -> str:
    done = CliRunner().invoke(orders.orders, ["note-disputes", str(order_id), *words])
    assert done.exit_code == 0, done.exception
    return without_log(done.stdout)


NOTHING = "Nothing new: no dispute has another status or amount than is noted.\n"


def test_a_dispute_that_was_won_unheard_lets_the_period_be_changed_again(world: World) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "needs_response")
    ref = dispute(world, charge, "won")
    assert refused(world, ada, change("desk", seats=11)) == [RefusalCode.PAYMENT_DISPUTED]
    assert note_disputes(order_id) == f"Noted: dispute {ref} of {charge}, won, 119.00 EUR\n"
    assert world.buy(ada, change("desk", seats=11)).status is OrderStatus.COMPLETED
    assert verified(world) == []


def test_a_dispute_that_was_forgotten_keeps_the_period_from_being_changed_and_is_noted_once(world: World) -> None:
    ada, order_id, charge = bought(world)
    ref = dispute(world, charge, "needs_response")
    told = json.loads(note_disputes(order_id, "--json"))
    [new] = told["noted"]
    assert (told["id"], new["dispute"], new["charge"]) == (str(order_id), ref, charge)
    assert (new["status"], new["amount_minor"], new["currency"]) == ("chargeback", 119_00, "EUR")
    assert refused(world, ada, change("desk", seats=1)) == [RefusalCode.PAYMENT_DISPUTED]
    assert note_disputes(order_id) == NOTHING
    assert json.loads(note_disputes(order_id, "--json"))["noted"] == []
    assert noted(world, order_id) == [("charge.disputed", "chargeback", 119_00)]


@pytest.mark.parametrize(
    ("status", "level"),
    [("needs_response", "error"), ("lost", "error"), ("won", "warning"), ("warning_closed", "warning")],
)
def test_a_dispute_that_leaves_nothing_to_do_is_logged_as_no_error(world: World, status: str, level: str) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, status)
    with capture_logs() as logs:
        dispute_notes.note_now(order_id)
    assert [line["log_level"] for line in logs if line["event"] == "charge disputed"] == [level]


def test_every_charge_of_an_order_is_asked_about_also_one_that_it_has_no_use_for(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    assert world.run(order_id).status is OrderStatus.COMPLETED
    own = world.charge_ref(order_id, attempt=2)
    for charge in (late, own):
        dispute(world, charge, "lost")
    told = json.loads(note_disputes(order_id, "--json"))["noted"]
    assert sorted(each["charge"] for each in told) == sorted((late, own))
    attempts = sorted(facts["attempt"] for facts in world.noted(order_id, "dispute.closed"))
    assert attempts == [1, 2]


def test_that_of_a_second_charge_of_one_attempt_is_not_noted_as_one_of_the_orders_own(world: World) -> None:
    ada = world.customer()
    order_id, _ = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    second = charged_again(world, ada, order_id=str(order_id), attempt="2")
    ref = dispute(world, second, "lost")
    assert note_disputes(order_id) == f"Noted: dispute {ref} of {second}, lost, 50.00 EUR\n"
    world.notify(second, "charge.dispute.closed")
    [closed] = world.rows(OrderEvent, order_id=order_id, kind="dispute.closed")
    assert (closed.facts["attempt"], closed.facts["amount_minor"]) == (3, 50_00)
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00), (3, "void", 50_00)]
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED
    assert verified(world) == []


def test_that_of_a_second_charge_is_found_though_the_orders_own_is_known(world: World) -> None:
    world.time = datetime.now(UTC)
    ada, order_id, _ = bought(world)
    second = charged_again(world, ada, order_id=str(order_id), attempt="1")
    ref = dispute(world, second, "needs_response")
    assert note_disputes(order_id) == f"Noted: dispute {ref} of {second}, chargeback, 50.00 EUR\n"
    assert [facts["attempt"] for facts in world.noted(order_id, "charge.disputed")] == [2]
    assert world.attempts(order_id) == [(1, "succeeded", 119_00), (2, "void", 50_00)]
    assert note_disputes(order_id) == NOTHING


def test_what_a_lost_dispute_left_of_a_second_charge_is_named_until_it_is_recorded_as_paid(world: World) -> None:
    ada = world.customer()
    order_id, _ = given_up_and_paid_late(world, ada)
    world.run(order_id)
    second = charged_again(world, ada, order_id=str(order_id), attempt="2")
    dispute_part(world, second, 20_00)
    dispute_notes.note_now(order_id)
    assert world.noted(order_id, "charge.unexpected") == [{"attempt": 3, "amount_minor": 50_00}]
    assert named(world) == [("what went back of the unexpected charge pi_1", "5000", "2000")]
    assert dispute_notes.note_now(order_id) == []
    owed = unexpected_refunds.settle(order_id, second, by="Olga", why="transfer of 3 May")
    assert owed == (30_00, "EUR")
    assert named(world) == []


def test_a_second_charge_that_was_noted_goes_back_once_its_event_comes_and_its_inquiry_is_over(world: World) -> None:
    ada = world.customer()
    order_id, _ = given_up_and_paid_late(world, ada)
    world.run(order_id)
    second = charged_again(world, ada, order_id=str(order_id), attempt="2")
    dispute(world, second, "warning_closed")
    dispute_notes.note_now(order_id)
    assert named(world) == [("what went back of the unexpected charge pi_1", "5000", "0")]
    world.notify(second, "charge.dispute.closed")
    assert (world.refunds_at_provider(second), named(world)) == (["succeeded"], [])
    assert len(world.noted(order_id, "charge.unexpected")) == 1


def test_what_a_lost_dispute_left_of_late_money_is_named_until_it_is_recorded_as_paid(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute_part(world, late, 50_00)
    note_disputes(order_id)
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "5000")]
    assert unexpected_refunds.settle(order_id, late, by="Olga", why="transfer") == (69_00, "EUR")
    assert named(world) == []


def test_a_second_charge_whose_dispute_alone_was_noted_by_an_event_is_noted_too(world: World) -> None:
    ada, order_id, _ = bought(world)
    second = charged_again(world, ada, order_id=str(order_id), attempt="1")
    dispute_part(world, second, 19_00, "needs_response")
    world.stripe.fail("unavailable", "refunds.list")
    world.notify(second, "charge.dispute.created")
    world.stripe.calm()
    assert (noted(world, order_id), named(world)) == ([("charge.disputed", "chargeback", 19_00)], [])
    assert note_disputes(order_id) == NOTHING
    assert named(world) == [("what went back of the unexpected charge pi_1", "5000", "1900")]


def test_a_dispute_of_another_amount_than_is_noted_is_noted(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute_part(world, charge, 19_00)
    note_disputes(order_id)
    [lost] = world.stripe.client().v1.disputes.list({"payment_intent": charge}).data
    world.stripe.control("change", id=lost.id, values={"amount": 119_00})
    assert note_disputes(order_id) == f"Noted: dispute {lost.id} of {charge}, lost, 119.00 EUR\n"
    assert note_disputes(order_id) == NOTHING
    assert [amount for _, _, amount in noted(world, order_id)] == [19_00, 119_00]


def test_what_the_dashboard_refunded_of_a_second_charge_is_noted_with_its_dispute(world: World) -> None:
    ada = world.customer()
    order_id, _ = given_up_and_paid_late(world, ada)
    world.run(order_id)
    second = charged_again(world, ada, order_id=str(order_id), attempt="2")
    world.stripe.client().v1.refunds.create({"payment_intent": second})
    dispute(world, second, "needs_response")
    dispute_notes.note_now(order_id)
    assert [facts["amount_minor"] for facts in world.noted(order_id, "refund.elsewhere")] == [50_00]
    assert named(world) == [("what went back of the unexpected charge pi_1", "5000", "10000")]
    turn(world, second, "won")
    dispute_notes.note_now(order_id)
    assert named(world) == []


def test_a_turn_that_is_noted_while_the_provider_is_asked_is_not_followed_by_an_older_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "needs_response")
    payments = world.wiring.payments
    read = payments.find_disputes

    def read_before_the_bank_decides(*, charge_ref: str) -> Sequence[Dispute]:
        found = read(charge_ref=charge_ref)
        monkeypatch.undo()
        happens(world, charge, "won")
        return found

    monkeypatch.setattr(payments, "find_disputes", read_before_the_bank_decides)
    with pytest.raises(NotPossible, match="was noted meanwhile: run this again"):
        dispute_notes.note_now(order_id)
    assert noted(world, order_id) == [("dispute.closed", "won", 119_00)]


def test_an_order_without_a_dispute_has_nothing_to_note(world: World) -> None:
    _, order_id, _ = bought(world)
    before = world.timeline(order_id)
    assert note_disputes(order_id) == NOTHING
    assert world.timeline(order_id) == before


def test_a_lost_dispute_is_settled(world: World) -> None:
    ada, order_id, charge = bought(world)
    ref = dispute(world, charge, "lost")
    note_disputes(order_id)
    words = ["dispute-settled", str(order_id), "--why", "paid again", "--by", "Olga", "--json"]
    assert json.loads(CliRunner().invoke(orders.orders, words).stdout) == {"id": str(order_id), "settled": [ref]}
    assert verified(world) == []
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


def test_only_what_was_recorded_now_is_said_to_be(world: World) -> None:
    _, order_id, charge = bought(world)

    def settle(*words: str) -> str:
        words = ("dispute-settled", str(order_id), "--why", "agreed", "--by", "Olga", *words)
        return CliRunner().invoke(orders.orders, words).stdout

    dispute_part(world, charge, 50_00)
    [first] = dispute_notes.note_now(order_id)
    settle()
    dispute_part(world, charge, 60_00)
    [second] = dispute_notes.note_now(order_id)
    recorded = "Recorded for {}; the order and its invoice stay as they are.\n"
    assert settle("--paid-again") == recorded.format(second.ref)
    assert settle("--paid-again", "--dispute", first.ref) == recorded.format(first.ref)
