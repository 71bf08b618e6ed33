"""Refunds for which our account at the provider has too little money: a person is told once, and they arrive once it is topped up."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from models.payments import RefundAttempt
from models.states import OrderStatus
from tasks.operating import at_provider, order_story
from tests.support.payment import refund_by_hand, refundable
from tests.support.world import World, purchase

CARDS = ["pm_card_visa", "pm_card_pendingRefund"]


@pytest.fixture(autouse=True)
def _topped_up_after(world: World) -> Iterator[None]:
    """The stand-in is everybody's."""
    yield
    world.stripe.control("funds", enough=True)


def noted(world: World, order_id: UUID) -> list[dict[str, object]]:
    return world.noted(order_id, "refund.awaiting_funds")


def shown(world: World, order_id: UUID) -> list[tuple[str, str]]:
    """What `prorata orders show` asks the provider."""
    with world.begin() as session:
        story = order_story.tell(session, order_id)
    return [(found.what, found.status) for found in at_provider.look_up(story)]


@pytest.mark.parametrize("card", CARDS)
def test_a_refund_that_waits_for_funds_is_told_once_and_arrives_once_these_are_there(
    world: World, capsys: pytest.CaptureFixture[str], card: str
) -> None:
    ada, order_id = refundable(world, card)
    world.stripe.control("funds", enough=False)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    for kind in ("refund.created", "charge.refunded", "refund.updated"):
        world.notify(world.charge_ref(order_id), kind)
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    assert noted(world, order_id) == [{"refund": refund.ref, "amount_minor": 119_00}]
    told = [line for line in capsys.readouterr().out.splitlines() if "is topped up" in line]
    assert [("error" in line, str(order_id) in line) for line in told] == [(True, True)]
    assert shown(world, order_id) == [("charge", "succeeded"), ("refund", "awaiting_funds")]
    world.stripe.control("funds", enough=True)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(world.charge_ref(order_id)) == ["succeeded"])
    world.notify(world.charge_ref(order_id), "refund.updated")
    assert (len(noted(world, order_id)), world.given_back(ada)) == (1, [119_00])
    assert shown(world, order_id) == [("charge", "succeeded"), ("refund", "succeeded")]


def test_a_refund_that_is_pending_for_another_reason_is_not_told(world: World) -> None:
    _, order_id = refundable(world, "pm_card_pendingRefund")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    world.notify(world.charge_ref(order_id), "refund.updated")
    assert noted(world, order_id) == []
    assert shown(world, order_id) == [("charge", "succeeded"), ("refund", "pending")]


def test_a_refund_made_in_the_dashboard_that_waits_for_funds_is_told_too(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    world.stripe.control("funds", enough=False)
    refund_by_hand(world, order_id, 19_00)
    world.notify(world.charge_ref(order_id), "refund.created")
    assert [facts["amount_minor"] for facts in noted(world, order_id)] == [19_00]
