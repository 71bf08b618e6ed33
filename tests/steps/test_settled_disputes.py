"""A lost dispute that a person has settled: the customer paid again what the bank took, or keeps it."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from tasks.errors import TemporarilyUnavailable
from tasks.operating import dispute_settlements, outside_refunds, support_refund
from tasks.operating.order_at_hand import NotPossible
from tests.support.disputes import bought, dispute_part, happens, named, noted, refused, turn
from tests.support.payment import DECLINES
from tests.support.world import World, change, purchase, trial

TAKEN = "what the customer's bank took back"
PAID_AGAIN: dict[str, Any] = {"by": "Olga", "why": "paid again by transfer of 3 May"}


def test_what_a_lost_dispute_left_of_a_period_is_changed_again_once_it_is_settled(world: World) -> None:
    ada, _, _ = bought(world)
    world.pass_time(hours=1)
    changed = world.buy(ada, change("desk", seats=11))
    charge = world.charge_ref(changed.id)
    happens(world, charge, "needs_response", "lost")
    assert refused(world, ada, change("desk", seats=12)) == [RefusalCode.PAYMENT_DISPUTED]
    [settled] = dispute_settlements.settle(changed.id, **PAID_AGAIN)
    [entry] = world.noted(changed.id, "dispute.settled")
    told = {"dispute": settled, "attempt": 1, "amount_minor": changed.due_minor, "currency": "EUR"}
    assert entry == told | PAID_AGAIN
    assert named(world) == []
    assert world.buy(ada, change("desk", seats=12)).status is OrderStatus.COMPLETED
    assert not_settled(changed.id) == (
        "no lost dispute of order 1002 is left to settle: dispute du_1 was settled by Olga (paid again by transfer of 3 May), without --paid-again. "
        "If the customer has paid again what the bank took, add that"
    )


def lose(world: World, charge: str, amount_minor: int) -> None:
    dispute_part(world, charge, amount_minor)
    world.notify(charge, "charge.dispute.closed")


def not_settled(order_id: UUID, **words: Any) -> str:
    """Why it is refused, without ids."""
    with pytest.raises(NotPossible) as refused:
        dispute_settlements.settle(order_id, **PAID_AGAIN | words)
    return re.sub(r"du_\w+", "du_1", str(refused.value))


def settlements(world: World, order_id: UUID) -> list[tuple[str, bool]]:
    """Each dispute that the timeline says is settled, and whether as paid again."""
    return [(each["dispute"], each.get("paid_again", False)) for each in world.noted(order_id, "dispute.settled")]


def test_what_was_left_to_the_customer_stays_so_where_another_dispute_was_paid_again(world: World) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 50_00)
    [left] = dispute_settlements.settle(order_id, **PAID_AGAIN)
    lose(world, charge, 60_00)
    [paid] = dispute_settlements.settle(order_id, **PAID_AGAIN, paid_again=True)
    assert settlements(world, order_id) == [(left, False), (paid, True)]
    by_olga = "was settled by Olga (paid again by transfer of 3 May)"
    assert not_settled(order_id, paid_again=True) == (
        f"no lost dispute of order 1001 is left to settle: dispute du_1 {by_olga}, without --paid-again; dispute du_1 {by_olga}, with --paid-again. "
        "If the customer has paid again what the bank took by one of those without, name it: --paid-again --dispute du_1"
    )
    assert settlements(world, order_id) == [(left, False), (paid, True)]
    assert dispute_settlements.settle(order_id, **PAID_AGAIN, paid_again=True, dispute=left) == [left]
    assert settlements(world, order_id) == [(left, False), (paid, True), (left, True)]
    assert named(world) == []
    assert not_settled(order_id, paid_again=True, dispute=left) == (
        f"no lost dispute of order 1001 is left to settle: dispute du_1 {by_olga}, with --paid-again"
    )


def test_of_two_lost_disputes_the_one_that_is_named_is_settled(world: World) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 50_00)
    lose(world, charge, 60_00)
    refs = [each["dispute"] for each in world.noted(order_id, "dispute.closed")]
    first, second = dict.fromkeys(refs)
    assert dispute_settlements.settle(order_id, **PAID_AGAIN, paid_again=True, dispute=second) == [second]
    assert dispute_settlements.settle(order_id, **PAID_AGAIN) == [first]
    assert settlements(world, order_id) == [(second, True), (first, False)]
    both = "dispute du_1 is lost, dispute du_1 is lost"
    assert (
        not_settled(order_id, dispute="du_none")
        == f"order 1001 has no lost dispute du_1 at the payment provider: {both}"
    )


def test_that_it_was_paid_again_is_added_to_a_settlement_once(world: World) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 50_00)
    [settled] = dispute_settlements.settle(order_id, **PAID_AGAIN)
    assert dispute_settlements.settle(order_id, **PAID_AGAIN, paid_again=True) == [settled]
    assert settlements(world, order_id) == [(settled, False), (settled, True)]
    assert not_settled(order_id, paid_again=True) == (
        "no lost dispute of order 1001 is left to settle: dispute du_1 was settled by Olga (paid again by transfer of 3 May), with --paid-again"
    )
    assert settlements(world, order_id) == [(settled, False), (settled, True)]


def refusals(order_id: UUID) -> set[str]:
    """Why `refund` and `refunded-outside`, also with `--rest-paid`, are refused, without ids."""
    acts: list[Callable[..., object]] = [
        partial(support_refund.give_back, order_id),
        partial(outside_refunds.settle, order_id),
        partial(outside_refunds.settle, order_id, rest_paid=True),
    ]
    told = set()
    for act in acts:
        with pytest.raises(NotPossible) as refused:
            act(by="Olga", why="asked by phone")
        told.add(re.sub(r"du_\w+", "du_1", str(refused.value)))
    return told


NOT_ENDED = (
    "`prorata orders dispute-settled` was run for dispute du_1 of order 1001: the customer keeps what they bought. If it is to end all the same, "
    "give back by other means {}; no command records that: let your accountant correct the invoice"
)
IF_PAID_AGAIN = "{} EUR, if they paid that again"


@pytest.mark.parametrize(
    ("before", "after", "owed"),
    [
        (119_00, 0, IF_PAID_AGAIN.format("119.00")),
        (19_00, 0, f"{IF_PAID_AGAIN.format('19.00')}, and the remaining 100.00 EUR in any case"),
        (50_00, 69_00, IF_PAID_AGAIN.format("50.00")),
        (50_00, 30_00, f"{IF_PAID_AGAIN.format('50.00')}, and the remaining 39.00 EUR in any case"),
    ],
)
def test_what_was_bought_is_not_ended_once_a_dispute_is_settled_and_what_that_would_owe_is_said(
    world: World, before: int, after: int, owed: str
) -> None:
    ada, order_id, charge = bought(world)
    lose(world, charge, before)
    dispute_settlements.settle(order_id, **PAID_AGAIN)
    if after:
        lose(world, charge, after)
    assert refusals(order_id) == {NOT_ENDED.format(owed)}
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")
    assert named(world) == ([(f"{TAKEN} (dispute du_1, lost)", "0", str(after))] if after else [])


def test_of_a_settled_dispute_in_another_currency_the_sums_are_to_be_compared(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute_part(world, charge, 19_00)
    [lost] = world.stripe.client().v1.disputes.list({"payment_intent": charge}).data
    world.stripe.control("change", id=lost.id, values={"currency": "usd"})
    world.notify(charge, "charge.dispute.closed")
    dispute_settlements.settle(order_id, **PAID_AGAIN)
    owed = "19.00 USD, if they paid that again, and what the bank left of 119.00 EUR in any case: compare the sums"
    assert refusals(order_id) == {NOT_ENDED.format(owed)}


def test_one_that_is_won_after_all_is_named_as_the_customer_has_paid_twice(world: World) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "lost")
    [settled] = dispute_settlements.settle(order_id, **PAID_AGAIN)
    undecided = "and has not decided yet; do not give it back in any other way"
    won = (
        "dispute du_1 of order 1001 was won after `prorata orders dispute-settled` was run for it: the customer keeps what they bought. If they paid "
        "119.00 EUR again, give that back by other means, once, and tell your accountant: they have paid it twice"
    )
    for status, found, told in (
        ("needs_response", [], undecided),
        ("won", [(f"{TAKEN} (dispute du_1, won)", "11900", "0")], won),
    ):
        world.stripe.control("change", id=settled, values={"status": status})
        world.notify(charge, "charge.dispute.updated")
        assert named(world) == found
        [refusal] = refusals(order_id)
        assert told in refusal
    assert world.buy(ada, change("desk", seats=11)).status is OrderStatus.COMPLETED


def test_another_dispute_of_the_charge_is_not_settled_with_it(world: World) -> None:
    ada, order_id, charge = bought(world)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=19_00)
    world.notify(charge, "charge.dispute.closed")
    dispute_settlements.settle(order_id, **PAID_AGAIN)
    world.stripe.control("dispute", payment_intent=charge, status="lost", amount=100_00)
    world.notify(charge, "charge.dispute.closed")
    assert refused(world, ada, change("desk", seats=11)) == [RefusalCode.PAYMENT_DISPUTED]
    assert named(world) == [(f"{TAKEN} (dispute du_1, lost)", "0", "10000")]


@pytest.mark.parametrize("statuses", [[], ["warning_needs_response"], ["needs_response"], ["needs_response", "won"]])
def test_what_is_not_lost_is_not_settled(world: World, statuses: list[str]) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, *statuses)
    with pytest.raises(NotPossible):
        dispute_settlements.settle(order_id, **PAID_AGAIN)
    assert "dispute.settled" not in world.timeline(order_id)


def test_one_that_was_won_since_it_was_noted_as_lost_is_noted_so_and_not_settled(world: World) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "lost")
    turn(world, charge, "won")
    assert (
        not_settled(order_id, paid_again=True)
        == "order 1001 has no lost dispute at the payment provider: dispute du_1 is won"
    )
    assert (settlements(world, order_id), named(world)) == ([], [])
    assert [status for _, status, _ in noted(world, order_id)] == ["lost", "won"]


def test_one_that_was_lost_unheard_is_noted_and_settled(world: World) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "needs_response")
    turn(world, charge, "lost")
    assert len(dispute_settlements.settle(order_id, **PAID_AGAIN)) == 1
    assert named(world) == []
    assert [status for _, status, _ in noted(world, order_id)] == ["chargeback", "lost"]


def test_nothing_is_settled_while_the_provider_cannot_be_asked(world: World) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "lost")
    world.stripe.fail("unavailable", "disputes.list")
    with pytest.raises(TemporarilyUnavailable):
        dispute_settlements.settle(order_id, **PAID_AGAIN)
    assert settlements(world, order_id) == []


def test_what_is_active_while_its_letter_is_not_sent_is_named_and_settled_once_it_goes_on(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.park(order_id)
    happens(world, world.charge_ref(order_id), "lost")
    assert named(world) == [(f"{TAKEN} (dispute du_1, lost)", "0", "11900")]
    first = (
        "order 1001 is needs_attention; let it complete first: what it bought is active, only its letters are not sent "
        "(`prorata orders resume 1001`, with --without-letters if they cannot be)"
    )
    assert not_settled(order_id) == first
    with pytest.raises(NotPossible) as refused:
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert str(refused.value) == first


def test_an_order_without_a_charge_by_card_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=None), trial())
    with pytest.raises(NotPossible, match=r"^order 1001 charged no card: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)


def test_an_order_that_is_not_completed_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=DECLINES), purchase())
    with pytest.raises(NotPossible, match=r"^order 1001 is payment_declined: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)
