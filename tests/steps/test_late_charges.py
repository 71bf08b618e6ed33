"""Money that arrives on an attempt that was given up is noticed without a webhook, and goes back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.states import OrderStatus
from tasks import wiring
from tasks.charges.late_charges import late_charges
from tasks.operating import support_refund
from tasks.ports import Charge, ChargeStatus, PaymentProvider
from tasks.refunds import refunding
from tests.support import books
from tests.support.backup import BackUp
from tests.support.messages import eventually
from tests.support.payment import CREATE
from tests.support.world import Customer, World, purchase


def given_up(world: World, ada: Customer, *, cancelled: bool = False) -> UUID:
    """An order that was charged by another attempt, or cancelled, because the provider had no charge of the first a minute after it had failed."""
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    order_id = world.run(world.place(ada, purchase())).id
    if cancelled:
        world.cancel(order_id)
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is (OrderStatus.CANCELLED if cancelled else OrderStatus.COMPLETED)
    assert world.attempts(order_id)[0] == (1, "void", 119_00)
    return order_id


def money_arrives(world: World, ada: Customer) -> None:
    before = len(world.charged(ada))
    world.stripe.calm()
    assert eventually(lambda: len(world.charged(ada)) == before + 1)


def late_charge(world: World, ada: Customer, order_id: UUID) -> str:
    """The provider's id of the charge that is none of the order's."""
    taken = {attempt.ref for attempt in world.rows(ChargeAttempt, order_id=order_id)}
    [late] = [str(intent["id"]) for intent in world.intents(ada) if intent["id"] not in taken]
    return late


@pytest.mark.parametrize("cancelled", [False, True])
def test_money_that_arrives_minutes_after_its_attempt_was_given_up_goes_back(world: World, cancelled: bool) -> None:
    ada = world.customer()
    order_id = given_up(world, ada, cancelled=cancelled)
    ended = world.order(order_id).status
    money_arrives(world, ada)
    assert (late_charges(), world.given_back(ada)) == (0, [])
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])
    assert (world.refunds(order_id), world.timeline(order_id).count("charge.unexpected")) == (
        [("succeeded", 119_00)],
        1,
    )
    assert world.order(order_id).status is ended
    world.pass_time(days=1)
    assert (late_charges(), world.given_back(ada)) == (0, [119_00])
    assert books.differences(world) == []


def test_an_attempt_whose_charge_never_came_is_looked_up_once(world: World) -> None:
    ada = world.customer()
    given_up(world, ada)
    world.pass_time(minutes=15)
    assert (late_charges(), late_charges()) == (1, 0)
    world.pass_time(days=1)
    assert (late_charges(), world.charged(ada), world.given_back(ada)) == (0, [119_00], [])


def test_a_late_charge_that_a_webhook_has_told_of_goes_back_once(world: World) -> None:
    ada = world.customer()
    order_id = given_up(world, ada)
    money_arrives(world, ada)
    late = late_charge(world, ada, order_id)
    world.notify(late)
    assert world.given_back(ada) == [119_00]
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])
    assert world.refunds(order_id) == [("succeeded", 119_00)]


@pytest.mark.parametrize("operation", ["payment_intents.list", "refunds.create"])
def test_a_late_charge_goes_back_later_while_the_provider_is_away(world: World, operation: str) -> None:
    ada = world.customer()
    given_up(world, ada)
    money_arrives(world, ada)
    world.pass_time(minutes=15)
    world.stripe.fail("unavailable", operation)
    assert (late_charges(), world.given_back(ada)) == (1, [])
    world.stripe.calm()
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])


@dataclass
class Processing:
    """Its charges are found while their banks take their time."""

    payments: PaymentProvider

    def find_charges(self, **asked: Any) -> list[Charge]:
        return [replace(charge, status=ChargeStatus.PROCESSING) for charge in self.payments.find_charges(**asked)]


def test_a_late_charge_whose_bank_takes_its_time_is_looked_up_until_the_bank_has_answered(world: World) -> None:
    ada = world.customer()
    given_up(world, ada)
    money_arrives(world, ada)
    processing: Any = Processing(world.wiring.payments)
    wiring.plug_in(replace(world.wiring, payments=processing))
    for _ in range(2):
        world.pass_time(minutes=15)
        assert (late_charges(), world.given_back(ada)) == (1, [])
    wiring.plug_in(world.wiring)
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])


def fails_for(order_id: UUID) -> Callable[..., Any]:
    start = refunding.start

    def fails(session: Session, order: Order, *given: Any, **named: Any) -> RefundAttempt:
        if order.id == order_id:
            raise ZeroDivisionError("a mistake of ours")
        return start(session, order, *given, **named)

    return fails


def test_one_that_cannot_be_handled_does_not_stop_those_behind_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = world.customer(), world.customer()
    first = given_up(world, ada)
    money_arrives(world, ada)
    given_up(world, bob)
    money_arrives(world, bob)
    monkeypatch.setattr("tasks.refunds.refunding.start", fails_for(first))
    world.pass_time(minutes=15)
    assert late_charges() == 2
    assert (world.given_back(ada), world.given_back(bob)) == ([], [119_00])
    monkeypatch.undo()
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])


def test_one_whose_next_refund_is_not_due_yet_is_no_error_and_goes_back_later(world: World) -> None:
    ada, bob = world.customer(card="pm_card_refundFail"), world.customer()
    order_id = given_up(world, ada)
    money_arrives(world, ada)
    late = late_charge(world, ada, order_id)
    world.notify(late)
    given_up(world, bob)
    money_arrives(world, bob)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    world.pass_time(minutes=15)
    world.notify(late, "refund.failed")
    with capture_logs() as logged:
        assert late_charges() == 2
    assert [entry for entry in logged if entry["event"].startswith("late charge")] == [
        {
            "event": "late charge goes back later",
            "log_level": "warning",
            "order_id": str(order_id),
            "error": "a refund of unexpected money failed; the next one is not due yet",
        }
    ]
    assert (world.refunds(order_id), world.given_back(bob)) == ([("failed", 119_00)], [119_00])
    world.pass_time(minutes=15)
    assert (late_charges(), world.refunds(order_id)) == (1, [("failed", 119_00), ("succeeded", 119_00)])


def test_one_that_went_back_in_part_elsewhere_is_noted_for_a_person_and_not_looked_up_again(world: World) -> None:
    ada = world.customer()
    order_id = given_up(world, ada)
    money_arrives(world, ada)
    late = late_charge(world, ada, order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 19_00})
    world.pass_time(minutes=15)
    with capture_logs() as logged:
        assert late_charges() == 1
    assert [(entry["event"], "exc_info" in entry) for entry in logged if entry["log_level"] == "error"] == [
        ("unexpected charge goes back", False),
        ("unexpected charge does not go back", False),
    ]
    [noted] = world.noted(order_id, "refund.refused")
    assert noted["error"].startswith(f"the provider refuses to refund {late}: ")
    world.pass_time(days=1)
    assert (late_charges(), world.given_back(ada)) == (0, [19_00])
    [named] = books.verified(world)
    assert f"what went back of the unexpected charge {late}" in named


def test_after_a_restore_the_order_is_refunded_though_money_that_arrived_late_was_refunded_under_the_same_key(
    world: World, backed_up: BackUp
) -> None:
    ada = world.customer()
    order_id = given_up(world, ada)
    restore = backed_up()
    money_arrives(world, ada)
    world.pass_time(minutes=15)
    assert (late_charges(), world.given_back(ada)) == (1, [119_00])
    restore()
    with world.begin() as session:
        support_refund.refund(session, order_id, by="Olga", why="ticket 4711", now=world.time)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.refunds(order_id) == [("failed", 119_00), ("succeeded", 119_00)]
    assert world.given_back(ada) == [119_00, 119_00]
    assert (late_charges(), world.given_back(ada)) == (1, [119_00, 119_00])
    assert books.differences(world) == []
