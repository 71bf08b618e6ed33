"""Refunds that we made, and that a restored database has forgotten: they are not taken for somebody else's, and count as money that went back."""

from typing import Any
from uuid import UUID

from structlog.testing import capture_logs

from models import timeline
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from models.vat_follow_ups import FollowUpOutcome
from tasks.policy import VatOutage
from tests.support.backup import BackUp
from tests.support.disputes import bought, give_back, named, refused
from tests.support.payment import refund
from tests.support.vat_outage import ask_again, during_outage, follow_up
from tests.support.world import World, change, purchase

KINDS = ("refund.created", "charge.refunded", "refund.updated")


def forgotten(world: World, order_id: UUID, backed_up: BackUp) -> None:
    """The order is refunded, and the database restored."""
    restore = backed_up()
    refund(world, order_id)
    assert world.order(order_id).status is OrderStatus.REFUNDED
    restore()
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def tell(world: World, order_id: UUID, *kinds: str) -> list[Any]:
    """Returns what is logged of refunds."""
    with capture_logs() as logs:
        for kind in kinds or KINDS:
            world.notify(world.charge_ref(order_id), kind)
    return [(line["log_level"], line["event"]) for line in logs if "refund" in line["event"]]


def entries(world: World, order_id: UUID) -> list[str]:
    kinds = ("refund.unknown", "refund.unknown_failed", "refund.elsewhere", "refund.elsewhere_failed")
    return [kind for kind in world.timeline(order_id) if kind in kinds]


def test_one_is_noted_once_as_ours_and_its_order_records_it_when_it_is_refunded_again(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id, _ = bought(world)
    forgotten(world, order_id, backed_up)
    assert tell(world, order_id) == [("warning", "refund of an attempt that is not known")]
    [facts] = world.noted(order_id, "refund.unknown")
    [made] = world.books(ada)["refunds"]
    assert facts == {"attempt": 1, "refund": made["id"], "amount_minor": 119_00}
    assert entries(world, order_id) == ["refund.unknown"]
    assert named(world) == [("what went back to its card", "0", "11900")]
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.refunds(order_id), world.given_back(ada), named(world)) == ([("succeeded", 119_00)], [119_00], [])
    assert (tell(world, order_id), entries(world, order_id)) == ([], ["refund.unknown"])


def test_what_it_gave_back_is_credited_by_no_change(world: World, backed_up: BackUp) -> None:
    ada, order_id, _ = bought(world)
    forgotten(world, order_id, backed_up)
    tell(world, order_id)
    assert refused(world, ada, change("desk", seats=1)) == [RefusalCode.PAYMENT_REFUNDED]


def test_vat_of_what_it_gave_back_does_not_become_balance(world: World, backed_up: BackUp) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    forgotten(world, order.id, backed_up)
    tell(world, order.id)
    ask_again(world)
    assert (world.balance(eva), follow_up(world, order).outcome) == (0, FollowUpOutcome.CONFIRMED)


def test_one_that_failed_later_is_noted_too_and_counts_no_more(world: World, backed_up: BackUp) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id = world.buy(ada, purchase()).id
    forgotten(world, order_id, backed_up)
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    assert tell(world, order_id, "refund.failed", "refund.failed") == [
        ("warning", "refund of an attempt that is not known"),
        ("warning", "refund of an attempt that is not known"),
    ]
    assert entries(world, order_id) == ["refund.unknown", "refund.unknown_failed"]
    assert named(world) == []
    assert world.buy(ada, change("desk", seats=11)).status is OrderStatus.COMPLETED


def test_one_that_an_earlier_release_noted_as_somebody_elses_is_not_noted_again(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id, _ = bought(world)
    forgotten(world, order_id, backed_up)
    [made] = world.books(ada)["refunds"]
    facts = {"attempt": 1, "refund": made["id"], "amount_minor": 119_00}
    with world.begin() as session:
        timeline.note(session, order_id, "refund.elsewhere", facts)
    assert (tell(world, order_id), entries(world, order_id)) == ([], ["refund.elsewhere"])
    assert named(world) == [("what went back to its card", "0", "11900")]
