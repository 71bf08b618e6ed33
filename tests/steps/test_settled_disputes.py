"""A lost dispute that a person has settled: the customer paid again what the bank took, or keeps it."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.operating import dispute_settlements, outside_refunds, support_refund
from tasks.operating.order_at_hand import NotPossible
from tests.support.disputes import bought, dispute_part, happens, named, refused
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
    with pytest.raises(NotPossible, match="no lost dispute of order 1002 is noted that is not settled"):
        dispute_settlements.settle(changed.id, **PAID_AGAIN)


def lose(world: World, charge: str, amount_minor: int) -> None:
    dispute_part(world, charge, amount_minor)
    world.notify(charge, "charge.dispute.closed")


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
IF_PAID_AGAIN = "{} EUR (minor units), if they paid that again"


@pytest.mark.parametrize(
    ("before", "after", "owed"),
    [
        (119_00, 0, IF_PAID_AGAIN.format(11900)),
        (19_00, 0, f"{IF_PAID_AGAIN.format(1900)}, and the remaining 10000 EUR (minor units) in any case"),
        (50_00, 69_00, IF_PAID_AGAIN.format(5000)),
        (50_00, 30_00, f"{IF_PAID_AGAIN.format(5000)}, and the remaining 3900 EUR (minor units) in any case"),
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
    owed = "1900 USD (minor units), if they paid that again, and what the bank left of 11900 EUR (minor units) in any case: compare the sums"
    assert refusals(order_id) == {NOT_ENDED.format(owed)}


def test_one_that_is_won_after_all_is_named_as_the_customer_has_paid_twice(world: World) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "lost")
    [settled] = dispute_settlements.settle(order_id, **PAID_AGAIN)
    undecided = "and has not decided yet; do not give it back in any other way"
    won = (
        "dispute du_1 of order 1001 was won after `prorata orders dispute-settled` was run for it: the customer keeps what they bought. If they paid "
        "11900 EUR (minor units) again, give that back by other means, once, and tell your accountant: they have paid it twice"
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


def test_an_order_without_a_charge_by_card_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=None), trial())
    with pytest.raises(NotPossible, match=r"^order 1001 charged no card: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)


def test_an_order_that_is_not_completed_has_no_dispute_to_settle(world: World) -> None:
    order = world.buy(world.customer(card=DECLINES), purchase())
    with pytest.raises(NotPossible, match=r"^order 1001 is payment_declined: there is no dispute to settle$"):
        dispute_settlements.settle(order.id, **PAID_AGAIN)
