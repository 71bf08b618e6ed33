"""A charge that an order has no use for, and that the customer's bank has taken back: it is owed as long as nobody gave it back, and once."""

import re
from uuid import UUID

import pytest

from models.orders import OrderEvent
from models.states import OrderStatus
from tasks.errors import RefundRefused
from tasks.operating import support_refund, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.refunds import refunding
from tests.support.disputes import bought, dispute, named, told_by_whom, turn, waiting
from tests.support.payment import given_up_and_paid_late
from tests.support.world import World


@pytest.mark.parametrize("back_by", ["us", "the dashboard", "the dashboard, unheard"])
@pytest.mark.parametrize("before", ["needs_response", "won"])
def test_one_that_was_refunded_before_its_dispute_is_not_owed_once_that_is_won(
    world: World, back_by: str, before: str
) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    if back_by == "us":
        world.notify(late)
    else:
        world.stripe.client().v1.refunds.create({"payment_intent": late})
    if back_by == "the dashboard":
        world.notify(late, "charge.refunded")
    for status in (before, "won"):
        dispute(world, late, status)
        world.notify(late, "charge.dispute.updated")
    assert (world.refunds(order_id), world.given_back(ada)) == ([("succeeded", 119_00)], [119_00])
    assert world.noted(order_id, "refund.refused") == []
    assert named(world) == []


def settle(order_id: UUID, charge: str, *, rest_paid: bool = False) -> tuple[int, str] | None:
    """What was owed."""
    return unexpected_refunds.settle(order_id, charge, by="Olga", why="transfer", rest_paid=rest_paid)


@pytest.mark.parametrize(("status", "amount", "owed"), [("won", 119_00, 119_00), ("lost", 19_00, 100_00)])
@pytest.mark.parametrize("asked_before", [True, False])
def test_one_that_a_person_gave_back_is_named_until_that_is_recorded(
    world: World, status: str, amount: int, owed: int, *, asked_before: bool
) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    if asked_before:
        world.stripe.fail("unavailable", "refunds.create")
        world.notify(late)
        world.stripe.calm()
    world.stripe.control("dispute", payment_intent=late, status="needs_response", amount=amount)
    undecided = "has not decided yet" if amount == 119_00 else "has not decided yet.*The remaining 100.00 EUR"
    with pytest.raises(NotPossible, match=undecided if asked_before else "no unexpected charge"):
        settle(order_id, late)
    world.stripe.control("dispute", payment_intent=late, status=status)
    world.notify(late, "charge.dispute.closed")
    assert len(named(world)) == 1
    assert settle(order_id, late) == (owed, "EUR")
    assert (world.refunds(order_id), world.given_back(ada), named(world)) == ([("succeeded", 119_00)], [], [])
    [settled] = world.noted(order_id, "refund.settled_outside")
    sums = {"amount_minor": 119_00, "owed_minor": owed, "by_bank_minor": 119_00 - owed}
    assert settled == {"attempt": 1, "by": "Olga", "why": "transfer"} | sums
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id, late)
    world.notify(late, "charge.dispute.updated")
    assert (world.order(order_id).status, named(world)) == (OrderStatus.COMPLETED, [])
    support_refund.give_back(order_id, by="Olga", why="asked by phone")
    assert (world.run(order_id).status, told_by_whom(world, ada)) == (OrderStatus.REFUNDED, None)


def test_one_that_its_bank_took_back_for_good_is_not_owed_and_not_named(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "lost")
    world.notify(late, "charge.dispute.closed")
    assert named(world) == []
    for rest_paid in (False, True):
        with pytest.raises(NotPossible, match=r"taken back all of .*: nothing is owed"):
            settle(order_id, late, rest_paid=rest_paid)


def test_one_of_which_the_bank_took_a_sum_in_another_currency_is_recorded_once_the_rest_is_said_to_be_paid(
    world: World,
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=19_00)
    [lost] = world.stripe.client().v1.disputes.list({"payment_intent": late}).data
    world.stripe.control("change", id=lost.id, values={"currency": "usd"})
    world.notify(late, "charge.dispute.closed")
    what = "what the bank has (dispute du_1, lost) of the unexpected charge pi_1"
    assert named(world) == [(what, "11900 EUR", "1900 USD")]
    told = rf"taken 19.00 USD of unexpected charge {late} back for good .* was of 119.00 EUR: .* add --rest-paid"
    with pytest.raises(NotPossible, match=told):
        settle(order_id, late)
    assert settle(order_id, late, rest_paid=True) is None
    assert (world.refunds(order_id), named(world)) == ([("succeeded", 119_00)], [])
    turn(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    assert named(world) == [(what.replace("lost", "won"), "1900 USD", "0 USD")]


@pytest.mark.parametrize("heard", [True, False])
def test_one_whose_refund_is_refused_since_a_part_went_back_in_the_dashboard_is_recorded_without_a_dispute(
    world: World, *, heard: bool
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 50_00})
    world.notify(late, "charge.refunded" if heard else "payment_intent.succeeded")
    assert len(named(world)) == 1
    assert settle(order_id, late) == (69_00, "EUR")
    assert (world.refunds(order_id), named(world)) == ([("succeeded", 119_00)], [])


def test_of_one_whose_refund_is_refused_it_is_said_what_the_dashboard_has_left_of_it_each_time_that_is_less(
    world: World,
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    for part in (50_00, 19_00):
        world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": part})
        for _ in range(3):  # the key of the request before is spent
            world.notify(late, "charge.refunded")
            world.pass_time(seconds=3600)
    told = ". {} EUR of it went back already: {} EUR is still the customer's"
    ends = [told.format("50.00", "69.00"), told.format("69.00", "50.00")]
    assert [each[-len(end) :] for each, end in zip(said(world, order_id), ends, strict=True)] == ends
    facts = [row.facts for row in world.rows(OrderEvent, order_id=order_id, kind="refund.refused")]
    assert sorted(each["owed_minor"] for each in facts) == [50_00, 69_00]
    assert settle(order_id, late) == (50_00, "EUR")


def test_one_whose_refund_failed_is_recorded_without_a_dispute(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id, late = given_up_and_paid_late(world, ada)
    world.give_card(ada)
    world.run(order_id)
    world.notify(late)
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id, late)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    world.notify(late, "refund.failed")
    settle(order_id, late)
    world.pass_time(seconds=3600)
    world.notify(late)
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]
    assert (world.refunds_at_provider(late), named(world)) == (["failed"], [])


def test_one_whose_refund_the_provider_refuses_for_a_reason_of_its_own_is_for_a_person_and_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    requests = iter(["charge_too_old req_1", "charge_too_old req_2"])

    def refuse(*_: object, **__: str) -> None:
        raise RefundRefused(next(requests))

    monkeypatch.setattr(refunding, "request_refund", refuse)
    for _ in range(2):
        world.notify(late)
    [refused] = world.noted(order_id, "refund.refused")
    assert refused == {"attempt": 1, "charge": late, "error": "charge_too_old req_1"}
    settle(order_id, late)
    assert (world.refunds(order_id), named(world)) == ([("succeeded", 119_00)], [])


def test_one_that_goes_back_by_itself_or_has_is_not_recorded_as_given_back_by_other_means(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.fail("unavailable", "refunds.create")
    world.notify(late)
    world.stripe.calm()
    with pytest.raises(NotPossible, match=f"{late} goes back by itself: no refund of it has failed or was refused"):
        settle(order_id, late)
    world.stripe.client().v1.refunds.create({"payment_intent": late})
    with pytest.raises(NotPossible, match=f"the provider has given back unexpected charge {late}$"):
        settle(order_id, late)
    assert world.refunds(order_id) == [("pending", 119_00)]


def test_the_orders_own_charge_is_not_settled_as_an_unexpected_one(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "won")
    with pytest.raises(NotPossible, match="no unexpected charge"):
        settle(order_id, charge)
    assert world.refunds(order_id) == []


def test_one_of_which_the_bank_took_more_than_was_charged_is_not_named(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=119_40)
    world.notify(late, "charge.dispute.closed")
    assert named(world) == []


def test_a_part_that_went_back_unheard_is_known_once_the_provider_was_asked(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 19_00})
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=100_00)
    world.notify(late, "charge.dispute.closed")
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "10000")]
    with pytest.raises(NotPossible, match="nothing is owed"):
        settle(order_id, late)
    assert named(world) == []


def said(world: World, order_id: UUID) -> list[str]:
    """What a person is told to do, without ids."""
    rows = sorted(world.rows(OrderEvent, order_id=order_id, kind="refund.refused"), key=lambda row: row.id)
    return [re.sub(r"(du|pi|req)_\w+", r"\1_1", row.facts["error"]) for row in rows]


OWED = "{} EUR of unexpected charge pi_1 is still the customer's"
DO_NOT_PAY = "pi_1 is disputed (dispute du_1, not decided yet): do not give it back in any other way: the customer would be paid twice"
NOTHING_OWED = "the customer's bank has taken 119.00 EUR of pi_1 back for good (dispute{} du_1{}, lost): nothing of it is owed any more"
NO_MORE = "the bank took only a part back (dispute du_1, lost), and the provider refunds it no more"


def test_a_rest_that_a_second_dispute_takes_for_good_at_once_is_said_to_be_owed_no_more(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    for amount in (19_00, 100_00):
        world.stripe.control("dispute", payment_intent=late, status="lost", amount=amount)
        for _ in range(2):
            world.notify(late, "charge.dispute.closed")
    told = [f"{OWED.format('100.00')}: {NO_MORE}", NOTHING_OWED.format("s", ", du_1")]
    assert (said(world, order_id), named(world)) == (told, [])


def test_what_is_won_and_then_lost_for_good_is_said_to_be_owed_no_more(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    turn(world, late, "lost")
    world.notify(late, "charge.dispute.closed")
    won = f"{OWED.format('119.00')}, though its dispute du_1 was won; the provider refunds it no more"
    assert (said(world, order_id), named(world)) == ([won, NOTHING_OWED.format("", "")], [])


def test_what_is_to_be_given_back_as_its_refunds_failed_is_not_once_the_bank_has_it(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, ada := world.customer(card="pm_card_refundFail"))
    world.give_card(ada)
    world.run(order_id)
    world.notify(late)
    for made in (1, 2):
        assert world.stripe.banks_settle(lambda made=made: world.refunds_at_provider(late) == ["failed"] * made)  # type: ignore[misc]
        world.notify(late, "refund.failed")
        world.pass_time(seconds=60)
        world.notify(late)
    failed = "2 refunds of unexpected charge pi_1 failed, and no other is made: give it back by other means"
    assert said(world, order_id) == [failed]
    for status in ("needs_response", "lost"):
        dispute(world, late, status)
        world.notify(late, "charge.dispute.updated")
    assert (said(world, order_id), named(world)) == ([failed, DO_NOT_PAY, NOTHING_OWED.format("", "")], [])


def test_what_is_to_be_given_back_as_its_refund_was_refused_is_not_once_the_bank_has_it(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 50_00})
    world.notify(late, "charge.refunded")
    [refused] = said(world, order_id)
    for status in ("needs_response", "lost"):
        world.stripe.control("dispute", payment_intent=late, status=status, amount=69_00)
        world.notify(late, "charge.dispute.updated")
    taken = NOTHING_OWED.format("", "").replace("119.00", "69.00")
    assert (said(world, order_id), named(world)) == ([refused, DO_NOT_PAY, taken], [])


def test_of_what_nobody_was_told_to_give_back_nothing_is_said_once_the_bank_has_it_for_good(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    for status in ("needs_response", "lost"):
        dispute(world, late, status)
        world.notify(late, "charge.dispute.updated")
    assert said(world, order_id) == []


def turns(world: World, charge: str, *statuses: str) -> None:
    for status in statuses:
        turn(world, charge, status)
        world.notify(charge, "charge.dispute.updated")


def test_what_the_bank_has_given_up_since_the_rest_was_recorded_is_owed_and_recorded_again(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=19_00)
    world.notify(late, "charge.dispute.closed")
    assert settle(order_id, late) == (100_00, "EUR")
    turns(world, late, "needs_response")
    assert (said(world, order_id)[-1], named(world)) == (DO_NOT_PAY, [])
    with pytest.raises(NotPossible, match="has not decided yet"):
        settle(order_id, late)
    turns(world, late, "won", "won")
    won = f"{OWED.format('19.00')}, though its dispute du_1 was won; the provider refunds it no more"
    assert said(world, order_id)[1:] == [DO_NOT_PAY, won]
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "10000")]
    assert settle(order_id, late) == (19_00, "EUR")
    assert (world.refunds(order_id), named(world)) == ([("succeeded", 119_00)], [])
    assert [each["owed_minor"] for each in world.noted(order_id, "refund.settled_outside")] == [100_00, 19_00]
    with pytest.raises(NotPossible, match="is back already"):
        settle(order_id, late)


def test_what_the_bank_takes_since_it_was_recorded_as_paid_the_customer_has_twice(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    assert settle(order_id, late) == (119_00, "EUR")
    turns(world, late, "needs_response", "lost")
    twice = (
        "the customer has 119.00 EUR of unexpected charge pi_1 twice: 119.00 EUR was recorded as paid by `prorata orders refunded-outside`, "
        "119.00 EUR was taken back by their bank (lost). Pay nothing more, and send the bank proof of what the customer has besides"
    )
    assert said(world, order_id)[1:] == [DO_NOT_PAY, twice]
    assert waiting(world) == [False]
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "23800")]
    with pytest.raises(NotPossible, match="twice"):
        settle(order_id, late)
    turns(world, late, "won")
    assert said(world, order_id)[-1] == (
        "the dispute du_1 of pi_1 was won, and the money is back: nothing of it is owed any more"
    )
    assert named(world) == []


def test_what_the_bank_takes_in_another_currency_since_it_was_recorded_as_paid_is_to_be_compared(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "won")
    world.notify(late, "charge.dispute.closed")
    assert settle(order_id, late) == (119_00, "EUR")
    made = world.stripe.control("dispute", payment_intent=late, status="lost", amount=10_00)
    world.stripe.control("change", id=made["id"], values={"currency": "usd"})
    for _ in range(2):
        world.notify(late, "charge.dispute.closed")
    assert said(world, order_id)[1:] == [
        "the customer's bank has taken 10.00 USD of pi_1 back for good (dispute du_1, lost), which was of 119.00 EUR, and 119.00 EUR of it was recorded "
        "as paid by `prorata orders refunded-outside`: compare the sums. What they are more than the charge the customer has twice: send the bank proof of what was paid"
    ]
    assert named(world) == [
        ("what the bank has (dispute du_1, lost) of the unexpected charge pi_1", "0 EUR", "1000 USD")
    ]
    with pytest.raises(NotPossible, match="a sum in another currency since: compare the sums"):
        settle(order_id, late)
