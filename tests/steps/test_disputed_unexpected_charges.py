"""A charge that an order has no use for, and that the customer's bank has taken back: it is owed as long as nobody gave it back, and once."""

from uuid import UUID

import pytest

from models.orders import OrderEvent
from models.states import OrderStatus
from tasks.errors import RefundRefused
from tasks.operating import outside_refunds, support_refund
from tasks.operating.resumption import NotPossible
from tasks.refunds import refunding
from tests.steps.test_disputed_charges import bought, dispute, named, told_by_whom, turn
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
    assert world.rows(OrderEvent, order_id=order_id, kind="refund.refused") == []
    assert named(world) == []


def settle(order_id: UUID, charge: str, *, rest_paid: bool = False) -> None:
    outside_refunds.settle_unexpected(order_id, charge, by="Olga", why="transfer", rest_paid=rest_paid)


@pytest.mark.parametrize(("status", "amount"), [("won", 119_00), ("lost", 19_00)])
@pytest.mark.parametrize("asked_before", [True, False])
def test_one_that_a_person_gave_back_is_named_until_that_is_recorded(
    world: World, status: str, amount: int, *, asked_before: bool
) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    if asked_before:
        world.stripe.fail("unavailable", "refunds.create")
        world.notify(late)
        world.stripe.calm()
    world.stripe.control("dispute", payment_intent=late, status="needs_response", amount=amount)
    with pytest.raises(NotPossible, match="no unexpected charge" if not asked_before else "has not decided yet"):
        settle(order_id, late)
    world.stripe.control("dispute", payment_intent=late, status=status)
    world.notify(late, "charge.dispute.closed")
    assert len(named(world)) == 1
    settle(order_id, late)
    assert (world.refunds(order_id), world.given_back(ada), named(world)) == ([("succeeded", 119_00)], [], [])
    [settled] = world.rows(OrderEvent, order_id=order_id, kind="refund.settled_outside")
    assert settled.facts == {"attempt": 1, "amount_minor": 119_00, "by": "Olga", "why": "transfer"}
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
    told = rf"taken 1900 USD \(minor units\) of unexpected charge {late} back for good .* was of 11900 EUR: .* add --rest-paid"
    with pytest.raises(NotPossible, match=told):
        settle(order_id, late)
    settle(order_id, late, rest_paid=True)
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
    settle(order_id, late)
    assert (world.refunds(order_id), named(world)) == ([("succeeded", 119_00)], [])


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
    [refused] = world.rows(OrderEvent, order_id=order_id, kind="refund.refused")
    assert refused.facts == {"attempt": 1, "error": "charge_too_old req_1"}
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


def test_one_that_went_back_in_part_unheard_before_the_bank_took_the_rest_is_not_named_once_the_provider_was_asked(
    world: World,
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 19_00})
    world.stripe.control("dispute", payment_intent=late, status="lost", amount=100_00)
    world.notify(late, "charge.dispute.closed")
    assert named(world) == [("what went back of the unexpected charge pi_1", "11900", "10000")]
    with pytest.raises(NotPossible, match="nothing is owed"):
        settle(order_id, late)
    assert named(world) == []
