"""`prorata orders note-refunds`: what the provider says of an order's refunds is noted where its events were missed."""

import json
from uuid import UUID

import pytest
from typer.testing import CliRunner

from models.payments import RefundAttempt
from models.states import OrderStatus, Step
from tasks.operating import outside_refunds
from tests.support.command import without_log
from tests.support.disputes import bought, dispute, named
from tests.support.payment import given_up_and_paid_late, refund_by_hand, refund_that_fails
from tests.support.world import World
from worker.commands import orders

pytestmark = pytest.mark.usefixtures("plugged_in")

NOTHING = "Nothing new: all that the payment provider says of its refunds is noted.\n"


def note_refunds(order_id: UUID, *words: str) -> str:
    done = CliRunner().invoke(orders.orders, ["note-refunds", str(order_id), *words])
    assert done.exit_code == 0, done.exception
    return without_log(done.stdout)


def test_a_refund_that_failed_unheard_parks_its_order_and_can_be_recorded_as_made_in_another_way(world: World) -> None:
    order_id, _ = refund_that_fails(world)
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    assert world.order(order_id).status is OrderStatus.REFUNDED
    failed = f"refund {refund.ref} failed after the provider had accepted it: expired_or_canceled_card"
    assert note_refunds(order_id) == f"Noted: refund.failed {failed}\nNoted: order.needs_attention {failed}\n"
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert note_refunds(order_id) == NOTHING
    assert outside_refunds.settle(order_id, by="Olga", why="transfer").owed_minor == refund.amount_minor
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_refund_that_failed_since_the_bank_took_the_charge_says_not_to_pay(world: World) -> None:
    order_id, charge = refund_that_fails(world)
    dispute(world, charge)
    disputed, failed, parked = json.loads(note_refunds(order_id, "--json"))["noted"]
    assert [each["kind"] for each in (disputed, failed, parked)] == [
        "charge.disputed",
        "refund.failed",
        "order.needs_attention",
    ]
    assert "do not give it back in any other way" in failed["facts"]["error"]


def test_a_refund_that_was_made_in_the_dashboard_is_noted_once(world: World) -> None:
    _, order_id, charge = bought(world)
    refund_by_hand(world, order_id, 19_00)
    [made] = world.stripe.client().v1.refunds.list({"payment_intent": charge}).data
    assert note_refunds(order_id) == f"Noted: refund.elsewhere {made.id}\n"
    assert note_refunds(order_id) == NOTHING
    assert world.order(order_id).status is OrderStatus.COMPLETED


def test_that_of_an_unexpected_charge_which_failed_is_made_again_as_its_event_would_have_it(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer(card="pm_card_refundFail"))
    world.run(order_id)
    world.notify(late)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    told = json.loads(note_refunds(order_id, "--json"))
    assert [each["kind"] for each in told["noted"]] == ["refund.failed"]
    assert told["not_done"] == ["a refund of unexpected money failed; the next one is not due yet"]
    assert note_refunds(order_id) == f"{NOTHING}Not done now, run this again in a minute: {told['not_done'][0]}\n"
    world.pass_time(seconds=10)
    assert note_refunds(order_id) == "Noted: refund.attempted\n"
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]


def test_one_whose_refund_is_refused_does_not_hide_what_became_of_the_orders_own(world: World) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 19_00})
    world.notify(late)
    own = world.charge_ref(order_id, attempt=2)
    made = world.stripe.client().v1.refunds.create({"payment_intent": own, "amount": 20_00})
    told = json.loads(note_refunds(order_id, "--json"))
    assert {"kind": "refund.elsewhere", "facts": {"attempt": 2, "refund": made.id, "amount_minor": 20_00}} in told[
        "noted"
    ]
    [why] = told["not_done"]
    assert why.endswith("and makes none any more; beginning another")
    world.pass_time(seconds=10)
    [why] = json.loads(note_refunds(order_id, "--json"))["not_done"]
    assert why.startswith(f"the provider refuses to refund {late}")
