"""A charge that the customer's bank asks about or takes back: nothing is given back twice, and nothing is ended for nothing."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from models.payments import ChargeAttempt, RefundAttempt
from models.states import OrderStatus, Step
from tasks.charges import charge_news, webhooks
from tasks.charges.late_charges import late_charges
from tasks.errors import Misconfigured, StepAgain, TemporarilyUnavailable
from tasks.operating import outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.ports import EventKind
from tasks.refunds import refunding
from tests.invoices.documents import documents
from tests.support import books
from tests.support.disputes import (
    BY_BANK,
    BY_US,
    bought,
    dispute,
    give_back,
    named,
    noted,
    told_by_whom,
    turn,
)
from tests.support.payment import given_up_and_paid_late, refund_by_hand, refund_that_fails, refundable, waiting_events
from tests.support.places import dying_at
from tests.support.world import World, change, purchase


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("needs_response", "do not give it back in any other way: the customer would be paid twice"),
        ("lost", "do not give it back in any other way: .* Run `prorata orders refunded-outside"),
        ("won", "nothing is owed"),
    ],
)
def test_support_ends_nothing_of_a_charge_that_the_provider_will_not_refund(
    world: World, status: str, told: str
) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, status)
    before = world.timeline(order_id)
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")
    assert (world.timeline(order_id), world.refunds(order_id)) == (before, [])


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("status", ["needs_response", "won", "lost"])
def test_a_charge_that_went_back_in_the_dashboard_before_its_dispute_is_recorded_as_refunded(
    world: World, status: str, *, told: bool
) -> None:
    ada, order_id, charge = bought(world)
    refund_by_hand(world, order_id, 119_00)
    if told:
        world.notify(charge, "charge.refunded")
    dispute(world, charge, status)
    with pytest.raises(NotPossible, match=r"has given back .* run `prorata orders refund \d+`"):
        outside_refunds.settle(order_id, by="Olga", why="it is all back")
    give_back(order_id)
    assert (world.run(order_id).status, world.given_back(ada), named(world)) == (OrderStatus.REFUNDED, [119_00], [])


def test_a_charge_that_the_bank_only_asks_about_is_refunded(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, "warning_needs_response")
    give_back(order_id)
    assert (world.run(order_id).status, world.given_back(ada)) == (OrderStatus.REFUNDED, [119_00])


def test_support_ends_nothing_while_the_provider_cannot_say_whether_a_charge_is_disputed(world: World) -> None:
    ada, order_id, _ = bought(world)
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    with pytest.raises(TemporarilyUnavailable):
        give_back(order_id)
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")


def test_a_refund_that_is_refused_because_of_a_dispute_parks_once_and_says_not_to_pay(world: World) -> None:
    ada, order_id = refundable(world)
    dispute(world, world.charge_ref(order_id))
    with pytest.raises(
        Misconfigured, match=r"the customer's bank has taken .* back.* do not give it back in any other way"
    ):
        world.run(order_id)
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert "do not give it back in any other way" in str(order.last_error)
    assert world.timeline(order_id).count("refund.attempted") == 1
    assert world.run(order_id).status is OrderStatus.NEEDS_ATTENTION
    assert world.given_back(ada) == []


def test_a_refund_that_fails_later_because_of_a_dispute_parks_and_says_not_to_pay(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id = world.buy(ada, purchase()).id
    charge = world.charge_ref(order_id)
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    dispute(world, charge)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert re.sub(r"(du|pi|re)_\w+", r"\1_1", str(order.last_error)) == (
        "refund re_1 failed after the provider had accepted it: expired_or_canceled_card. But the customer's bank has taken 119.00 EUR "
        "of pi_1 back (dispute du_1, not decided yet); do not give it back in any other way: the customer would be paid twice. "
        "See docs/disputes.md, A disputed charge"
    )


def test_an_order_that_is_parked_as_its_refund_failed_says_not_to_pay_once_the_bank_has_the_charge(
    world: World,
) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    parked = world.order(order_id)
    told = [str(parked.last_error)]
    for status in ("warning_needs_response", "needs_response", "lost"):
        dispute(world, charge, status)
        world.notify(charge, "charge.dispute.updated")
        told.append(str(world.order(order_id).last_error))
    assert [re.sub(r"(du|pi|re)_\w+", r"\1_1", each) for each in told] == [
        *["refund re_1 failed after the provider had accepted it: expired_or_canceled_card"] * 2,
        "refund_payment: the customer's bank has taken 119.00 EUR of pi_1 back (dispute du_1, not decided yet); "
        "do not give it back in any other way: the customer would be paid twice. See docs/disputes.md, A disputed charge",
        "refund_payment: the customer's bank has taken 119.00 EUR of pi_1 back (dispute du_1, for good, lost); "
        "do not give it back in any other way: the customer would be paid twice. See docs/disputes.md, A disputed charge",
    ]
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert (order.reason, world.timeline(order_id).count("order.needs_attention")) == (parked.reason, 1)


def test_an_order_that_is_parked_elsewhere_keeps_its_error_when_its_charge_is_disputed(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.park(order_id)
    dispute(world, world.charge_ref(order_id))
    world.notify(world.charge_ref(order_id), "charge.dispute.created")
    assert world.order(order_id).last_error == "for the test"


def test_a_refund_that_failed_while_a_dispute_came_says_not_to_pay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, charge = refund_that_fails(world)
    why, waiting = refunding.why_owed, [charge]

    def owed_before_it_came(*given: object, **named: object) -> object:
        if waiting:
            dispute(world, waiting.pop())
            charge_news.handle(charge)
        return why(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(refunding, "why_owed", owed_before_it_came)
    with pytest.raises(StepAgain):
        charge_news.handle(charge, kind=EventKind.REFUND)
    charge_news.handle(charge, kind=EventKind.REFUND)
    assert "do not give it back in any other way" in str(world.order(order_id).last_error)


def test_a_refund_that_has_failed_by_the_time_it_is_recorded_says_not_to_pay_if_the_charge_is_disputed(
    world: World,
) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    charge = world.charge_ref(order_id)
    with dying_at("refund_payment.called"):
        world.run(order_id)
    dispute(world, charge)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    order = world.go_on(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert re.sub(r"(du|pi|re)_\w+", r"\1_1", str(order.last_error)).startswith(
        "refund re_1 failed: expired_or_canceled_card. But the customer's bank has taken 119.00 EUR of pi_1 back (dispute du_1, "
        "not decided yet); do not give it back in any other way"
    )


def test_money_on_its_way_back_by_a_chargeback_is_not_said_to_be_paid_until_the_bank_has_decided(world: World) -> None:
    ada, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute(world, charge)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    with pytest.raises(NotPossible, match="has not decided yet"):
        outside_refunds.settle(order_id, by="Olga", why="transfer")
    dispute(world, charge, "lost")
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.run(order_id).status, world.given_back(ada)) == (OrderStatus.REFUNDED, [])
    assert told_by_whom(world, ada) == BY_BANK


def test_what_the_provider_gave_back_is_not_settled_outside_because_its_disputes_cannot_be_listed(world: World) -> None:
    _, order_id = refundable(world)
    dispute(world, world.charge_ref(order_id))
    with pytest.raises(Misconfigured):
        world.run(order_id)
    dispute(world, world.charge_ref(order_id), "warning_closed")
    refund_by_hand(world, order_id, 119_00)
    world.stripe.fail("unavailable", "disputes.list")
    with pytest.raises(NotPossible, match="has given back"):
        outside_refunds.settle(order_id, by="Olga", why="transfer")
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION


@pytest.mark.parametrize("status", ["needs_response", "lost"])
def test_what_the_bank_has_is_not_settled_as_paid_by_us_because_the_provider_cannot_be_asked(
    world: World, status: str
) -> None:
    ada, order_id = refundable(world)
    charge = world.charge_ref(order_id)
    dispute(world, charge, status)
    world.notify(charge, "charge.dispute.created")
    with pytest.raises(Misconfigured):
        world.run(order_id)
    world.stripe.fail("unavailable", "refunds.list")
    with pytest.raises(TemporarilyUnavailable):
        outside_refunds.settle(order_id, by="Olga", why="transfer")
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION
    world.stripe.calm()
    dispute(world, charge, "lost")
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.run(order_id).status, told_by_whom(world, ada)) == (OrderStatus.REFUNDED, BY_BANK)


def test_a_lost_dispute_ends_the_purchase_and_issues_the_credit_note_without_a_payment(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge)
    with pytest.raises(NotPossible, match="has not decided yet"):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert world.subscription(ada, "desk").status == "active"
    dispute(world, charge, "lost")
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.run(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.REFUNDED, "ended")
    assert told_by_whom(world, ada) == BY_BANK
    assert [document.number for document in documents(world, order_id)] == ["INV-2026-000001", "CN-2026-000001"]
    [row] = world.rows(RefundAttempt, order_id=order_id)
    assert (row.status, row.amount_minor, row.ref) == ("succeeded", 119_00, f"outside:{order_id}:1")
    [settled] = world.noted(order_id, "refund.settled_outside")
    sums = {"amount_minor": 119_00, "owed_minor": 0, "by_bank_minor": 119_00}
    assert settled == {"attempt": 1, "by": "Olga", "why": "dispute lost"} | sums
    assert world.given_back(ada) == []
    assert books.differences(world) == []


def test_a_completed_order_whose_charge_nobody_took_back_is_not_said_to_be_refunded(world: World) -> None:
    ada, order_id, charge = bought(world)
    for status in (None, "warning_needs_response"):
        if status:
            dispute(world, charge, status)
        with pytest.raises(NotPossible, match="run `prorata orders refund"):
            outside_refunds.settle(order_id, by="Olga", why="transfer")
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")


def test_an_unexpected_charge_that_is_disputed_is_left_to_its_bank(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    dispute(world, late)
    world.notify(late)
    for _ in range(3):
        world.pass_time(hours=2)
        webhooks.handle_webhooks()
    assert (waiting_events(world), world.refunds(order_id), world.given_back(ada)) == ({}, [], [])
    assert world.timeline(order_id).count("charge.unexpected") == 1
    assert named(world) == []
    dispute(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "0")]
    assert world.timeline(order_id).count("refund.refused") == 1


def test_an_unexpected_charge_that_is_disputed_is_looked_up_once_without_a_webhook(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    dispute(world, late)
    with world.begin() as session:
        session.get_one(ChargeAttempt, (order_id, 1)).look_again_at = world.time
    assert (late_charges(), world.refunds(order_id)) == (1, [])
    world.pass_time(days=1)
    assert late_charges() == 0


def test_an_unexpected_charge_goes_back_once_the_bank_no_longer_asks(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    dispute(world, late, "warning_needs_response")
    world.notify(late)
    assert (world.refunds(order_id), world.given_back(ada)) == ([("succeeded", 119_00)], [119_00])


def test_a_lost_dispute_of_a_change_says_where_to_read_on_and_not_to_order_fewer_seats(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.pass_time(days=1)
    order_id = world.buy(ada, change("desk", seats=20)).id
    dispute(world, world.charge_ref(order_id), "lost")
    with pytest.raises(NotPossible, match=r"cannot be brought back, so nothing ends by paying\. What to do"):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_verify_names_what_the_bank_has_until_it_is_ours_again_or_the_order_is_refunded(world: World) -> None:
    _, order_id, charge = bought(world)
    what = "what the customer's bank took back (dispute du_1, {})"
    for status, event, expected in (
        ("warning_needs_response", "created", []),
        ("needs_response", "funds_withdrawn", [(what.format("chargeback"), "0", "11900")]),
        ("won", "closed", []),
        ("lost", "closed", [(what.format("lost"), "0", "11900")]),
    ):
        dispute(world, charge, status)
        world.notify(charge, f"charge.dispute.{event}")
        assert named(world) == expected
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert named(world) == []


def test_verify_names_a_charge_that_was_refunded_and_is_taken_back_by_the_bank_as_well(world: World) -> None:
    _, order_id, charge = bought(world)
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    dispute(world, charge, "lost")
    world.notify(charge, "charge.dispute.closed")
    assert named(world) == [("what the customer's bank took back (dispute du_1, lost)", "0", "11900")]


def test_each_turn_of_a_dispute_is_noted_once_whatever_event_tells_of_it_and_the_order_stays_as_it_is(
    world: World,
) -> None:
    _, order_id, charge = bought(world)
    for status, events in (
        ("warning_needs_response", ["created"]),
        ("needs_response", ["funds_withdrawn", "updated"]),
        ("under_review", ["updated"]),
        ("won", ["closed", "funds_reinstated"]),
    ):
        dispute(world, charge, status)
        for event in events * 2:
            world.notify(charge, f"charge.dispute.{event}")
    assert noted(world, order_id) == [
        ("charge.disputed", "inquiry", 119_00),
        ("charge.disputed", "chargeback", 119_00),
        ("dispute.closed", "won", 119_00),
    ]
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_a_dispute_that_comes_back_to_a_status_is_noted_with_it_again(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge)
    for status, who_has_it in (
        ("needs_response", [("what the customer's bank took back (dispute du_1, chargeback)", "0", "11900")]),
        ("won", []),
        ("appeal_needs_response", [("what the customer's bank took back (dispute du_1, chargeback)", "0", "11900")]),
        ("lost", [("what the customer's bank took back (dispute du_1, lost)", "0", "11900")]),
        ("won", []),
        ("lost", [("what the customer's bank took back (dispute du_1, lost)", "0", "11900")]),
    ):
        turn(world, charge, status)
        for _ in range(2):
            world.notify(charge, "charge.dispute.updated")
        assert named(world) == who_has_it
    assert noted(world, order_id) == [
        ("charge.disputed", "chargeback", 119_00),
        ("dispute.closed", "won", 119_00),
        ("charge.disputed", "chargeback", 119_00),
        ("dispute.closed", "lost", 119_00),
        ("dispute.closed", "won", 119_00),
        ("dispute.closed", "lost", 119_00),
    ]


def test_a_dispute_is_noted_with_what_an_operator_must_know_and_nothing_about_the_customer(world: World) -> None:
    _, order_id, charge = bought(world)
    first, second = dispute(world, charge, "lost"), dispute(world, charge)
    world.notify(charge, "charge.dispute.created")
    [closed] = world.noted(order_id, "dispute.closed")
    [opened] = world.noted(order_id, "charge.disputed")
    due = datetime.fromisoformat(opened.pop("due"))
    assert timedelta(days=6) < due - datetime.now(UTC) < timedelta(days=7)
    known = {"attempt": 1, "amount_minor": 119_00, "currency": "EUR", "bank_says": "fraudulent"}
    assert opened == known | {"dispute": second, "status": "chargeback"}
    assert closed == known | {"dispute": first, "status": "lost", "due": None}


def test_what_is_paid_by_other_means_although_the_dispute_was_won_does_not_come_from_the_bank(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, "won")
    assert outside_refunds.settle(order_id, by="Olga", why="transfer of 3 May")
    assert (world.run(order_id).status, told_by_whom(world, ada)) == (OrderStatus.REFUNDED, BY_US)
