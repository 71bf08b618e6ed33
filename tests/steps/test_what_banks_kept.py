"""What a customer's bank has of a disputed charge in the end is told by what it took and gave back, not by the name of its decision."""

import pytest

from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.errors import Misconfigured
from tasks.operating import at_provider, order_story, outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.support.disputes import bought, dispute, give_back, happens, named, noted, refused, turn
from tests.support.payment import refund_by_hand, refundable
from tests.support.world import World, change


def test_what_a_resolved_dispute_gave_the_customer_is_neither_credited_nor_owed(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, "prevented", case_type="resolution")
    for event in ("created", "funds_withdrawn", "closed"):
        world.notify(charge, f"charge.dispute.{event}")
    assert noted(world, order_id) == [("dispute.closed", "lost", 119_00)]
    assert refused(world, ada, change("desk", seats=4)) == [RefusalCode.PAYMENT_DISPUTED]
    assert len(named(world)) == 1
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost").owed_minor == 0
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_dispute_that_was_resolved_by_a_refund_is_waited_for_no_more(world: World) -> None:
    _, order_id, charge = bought(world)
    resolved = dispute(world, charge, "prevented", case_type="resolution")
    world.stripe.control("change", id=resolved, values={"balance_transactions": []})
    world.notify(charge, "charge.dispute.closed")
    with pytest.raises(
        NotPossible, match="one that was prevented is closed once refunds have returned what is disputed"
    ):
        give_back(order_id)
    refund_by_hand(world, order_id, 119_00)
    world.notify(charge, "charge.refunded")
    assert noted(world, order_id) == [("charge.disputed", "chargeback", 119_00), ("dispute.closed", "closed", 119_00)]
    give_back(order_id)
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_dispute_of_a_part_that_was_resolved_by_a_refund_of_it_is_waited_for_no_more(world: World) -> None:
    _, order_id, charge = bought(world)
    resolved = dispute(world, charge, "prevented", case_type="resolution", amount=50_00)
    world.stripe.control("change", id=resolved, values={"balance_transactions": []})
    world.notify(charge, "charge.dispute.closed")
    refund_by_hand(world, order_id, 50_00)
    world.notify(charge, "charge.refunded")
    assert noted(world, order_id) == [("charge.disputed", "chargeback", 50_00), ("dispute.closed", "closed", 50_00)]
    assert named(world) == [("what went back to its card", "0", "5000")]
    with pytest.raises(NotPossible, match=r"Refund the remaining 69\.00 EUR there, too"):
        give_back(order_id)


def test_a_dispute_that_was_blocked_changes_nothing(world: World) -> None:
    ada, order_id, charge = bought(world)
    dispute(world, charge, "prevented")
    world.notify(charge, "charge.dispute.closed")
    assert noted(world, order_id) == [("dispute.closed", "closed", 119_00)]
    give_back(order_id)
    assert (world.run(order_id).status, world.given_back(ada)) == (OrderStatus.REFUNDED, [119_00])


def test_of_a_partially_won_dispute_only_what_the_bank_kept_counts(world: World) -> None:
    _, order_id, charge = bought(world)
    refund_by_hand(world, order_id, 19_00)
    world.notify(charge, "charge.refunded")
    dispute(world, charge, "lost", returned=19_00)
    world.notify(charge, "charge.dispute.closed")
    assert noted(world, order_id) == [("dispute.closed", "lost", 100_00)]
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost").owed_minor == 0
    [recorded] = world.noted(order_id, "refund.settled_outside")
    assert recorded["by_bank_minor"] == 100_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_what_the_bank_gave_back_of_a_partially_won_dispute_is_owed_where_it_was_not_refunded(world: World) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost", returned=19_00)
    with pytest.raises(NotPossible, match=r"has taken only 100\.00 EUR .* pay the remaining 19\.00 EUR"):
        outside_refunds.settle(order_id, by="Olga", why="dispute lost")


def test_of_a_partially_won_dispute_that_is_lost_on_appeal_all_counts(world: World) -> None:
    """The provider still lists what was put back before, and not that the bank took it again."""
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost", returned=19_00)
    world.notify(charge, "charge.dispute.closed")
    happens(world, charge, "appeal_needs_response")
    turn(world, charge, "lost")
    world.notify(charge, "charge.dispute.closed")
    assert noted(world, order_id) == [
        ("dispute.closed", "lost", 100_00),
        ("charge.disputed", "chargeback", 119_00),
        ("dispute.closed", "lost", 119_00),
    ]
    with pytest.raises(NotPossible, match=r"has taken 119\.00 EUR of .* do not give it back in any other way"):
        give_back(order_id)
    with world.begin() as session:
        story = order_story.tell(session, order_id)
    assert [row.amount_minor for row in at_provider.look_up(story) if row.what == "dispute"] == [119_00]
    with pytest.raises(
        NotPossible, match=r"has taken 119\.00 EUR of what order 1001 was charged back .* no rest is left to pay"
    ):
        outside_refunds.settle(order_id, by="Olga", why="rest by transfer", rest_paid=True)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost").owed_minor == 0


def test_what_was_put_back_at_another_rate_and_taken_again_on_appeal_is_not_owed(world: World) -> None:
    """The provider lists the first two movements of its balance, and not that the bank took the money again."""
    _, order_id, charge = bought(world)
    lost = dispute(world, charge, "lost")
    put_back = [{"object": "balance_transaction", "amount": amount, "currency": "usd"} for amount in (-130_00, 129_60)]
    world.stripe.control("change", id=lost, values={"balance_transactions": put_back})
    with pytest.raises(NotPossible, match=r"has taken 119\.00 EUR of .* do not give it back in any other way"):
        give_back(order_id)
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost").owed_minor == 0


@pytest.mark.parametrize(("withdrawn", "status"), [((), OrderStatus.REFUNDED), ((-119_00,), OrderStatus.COMPLETED)])
def test_what_a_dispute_in_a_new_status_has_not_taken_is_refunded_where_the_provider_still_does(
    world: World, withdrawn: tuple[int, ...], status: OrderStatus
) -> None:
    """Once all of the charge is refunded, the provider withdraws nothing more because of the dispute."""
    _, order_id, charge = bought(world)
    moved = [{"object": "balance_transaction", "amount": amount, "currency": "eur"} for amount in withdrawn]
    opened = dispute(world, charge, "warning_needs_response")
    values = {"status": "pre_arbitration", "is_charge_refundable": True, "balance_transactions": moved}
    world.stripe.control("change", id=opened, values=values)
    world.notify(charge, "charge.dispute.updated")
    assert noted(world, order_id) == [("charge.disputed", "chargeback", 119_00)]
    if withdrawn:
        with pytest.raises(NotPossible, match=r"do not give it back in any other way"):
            give_back(order_id)
    else:
        give_back(order_id)
        world.run(order_id)
    assert world.order(order_id).status is status


def test_what_a_resolved_dispute_took_is_not_refunded_though_the_provider_would(world: World) -> None:
    ada, order_id, charge = bought(world)
    resolved = dispute(world, charge, "prevented", case_type="resolution")
    world.stripe.control("change", id=resolved, values={"is_charge_refundable": True})
    with pytest.raises(NotPossible, match=r"has taken 119\.00 EUR of .* do not give it back in any other way"):
        give_back(order_id)
    assert outside_refunds.settle(order_id, by="Olga", why="dispute lost").owed_minor == 0
    assert (world.run(order_id).status, world.given_back(ada)) == (OrderStatus.REFUNDED, [])


RATE = (
    r"A small rest may be only a difference of exchange rates, and what the bank took again after a decision was contested is not listed: "
    r"look in the provider's dashboard first how much it kept"
)


def test_a_rest_that_may_be_a_difference_of_exchange_rates_is_said_to_be_looked_at_before_it_is_paid(
    world: World,
) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge, "lost", amount=118_50)
    with pytest.raises(NotPossible, match=rf"{RATE}\. If .* pay the remaining 0\.50 EUR"):
        give_back(order_id)


def test_so_it_is_of_a_parked_refund(world: World) -> None:
    _, order_id = refundable(world)
    dispute(world, world.charge_ref(order_id), "lost", amount=118_50)
    with pytest.raises(Misconfigured, match=rf"The remaining 0\.50 EUR is owed still: .*{RATE}"):
        world.run(order_id)
