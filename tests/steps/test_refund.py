"""What cannot be given after all is paid back once, whatever the line does."""

import re
from datetime import timedelta
from uuid import UUID

import pytest

from models.payments import RefundAttempt
from models.states import OrderStatus, Step
from models.subscriptions import Subscription
from tasks.errors import Misconfigured
from tasks.operating import resumption
from tests.support.messages import eventually
from tests.support.payment import REFUND, refund_by_hand, refundable, spoil_activation, waiting_events
from tests.support.places import at
from tests.support.world import World, purchase, trial


def test_what_cannot_be_activated_is_given_back_and_the_customer_told(world: World) -> None:
    ada, order_id = refundable(world)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "trial-used")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    assert (refund.key, refund.charge_attempt) == (f"order:{order_id}:refund:1", 1)
    assert world.letters(order_id) == ["refund_notice"]
    assert world.rows(Subscription, account_id=ada.account_id) == []


def test_a_refunded_order_gives_its_balance_back_too(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.charged(ada), world.given_back(ada), world.balance(ada)) == ([100_00], [100_00], 19_00)


@pytest.mark.parametrize(
    ("kind", "times", "refunds"),
    [
        ("rate_limit", 30, [("succeeded", 119_00)]),
        ("answer_lost", 30, [("succeeded", 119_00)]),
        ("connection_reset", 30, [("succeeded", 119_00)]),
        ("server_error", 1, [("failed", 119_00), ("succeeded", 119_00)]),
        ("server_error_after_effect", 1, [("succeeded", 119_00)]),
        ("dependency_failed", 1, [("failed", 119_00), ("succeeded", 119_00)]),
    ],
)
def test_whatever_the_line_does_the_money_goes_back_once(
    world: World, kind: str, times: int, refunds: list[tuple[str, int]]
) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail(kind, REFUND, times=times)
    world.run(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]
    assert sorted(world.refunds(order_id)) == refunds


def test_a_refund_that_is_made_says_nothing_about_anothers(world: World) -> None:
    (_, adas), (bob, bobs) = refundable(world), refundable(world)
    world.stripe.fail("unavailable", REFUND)
    for order_id in (adas, bobs):
        world.run(order_id)
    world.stripe.calm()
    assert world.go_on(adas).status is OrderStatus.REFUNDED
    assert (world.refunds(adas), world.refunds(bobs)) == ([("succeeded", 119_00)], [("pending", 119_00)])
    assert world.given_back(bob) == []
    keys = {row.key for row in world.rows(RefundAttempt)}
    assert keys == {f"order:{adas}:refund:1", f"order:{bobs}:refund:1"}


def test_a_refund_whose_key_has_expired_is_looked_up_first(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("answer_lost", REFUND)
    world.stripe.fail("unavailable", "refunds.list")
    world.run(order_id)
    world.stripe.calm()
    world.stripe.expire_keys()
    asked_anew = world.stripe.fail("unavailable", REFUND)
    world.pass_time(hours=24)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.stripe.seen(asked_anew) == 0
    assert world.given_back(ada) == [119_00]


def test_money_that_was_given_back_by_hand_is_not_given_back_again(world: World) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 119_00)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]


def test_a_part_given_back_by_hand_is_for_a_person_to_complete(world: World) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 19_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.given_back(ada) == [19_00]


def test_what_the_provider_began_of_a_refund_in_a_500_is_waited_for_and_not_given_twice(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("server_error_before_effect", REFUND, times=1, seconds=600)
    world.run(order_id)
    assert (world.refunds(order_id), world.given_back(ada)) == ([("pending", 119_00)], [])
    world.stripe.calm()
    assert eventually(lambda: world.given_back(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert (world.refunds(order_id), world.given_back(ada)) == ([("succeeded", 119_00)], [119_00])


def test_a_refusal_that_the_provider_keeps_ends_once_its_cause_has(world: World) -> None:
    """The part that was given back by hand comes back, and a person resumes the order."""
    _, order_id = refundable(world, "pm_card_refundFail")
    refund_by_hand(world, order_id, 19_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="ops")
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]


def test_a_refund_that_fails_after_it_was_accepted_calls_a_person(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    [accepted] = world.rows(RefundAttempt, order_id=order_id)
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.pass_time(days=5)
    for _ in range(2):
        world.notify(charge, "refund.failed")
    [failed] = world.rows(RefundAttempt, order_id=order_id)
    assert failed.settled_at - accepted.settled_at == timedelta(days=5)
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.timeline(order_id).count("refund.failed") == 1


def test_a_refund_that_fails_before_the_customer_is_told_is_not_told(world: World) -> None:
    ada, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.mails(ada) == []


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("refund_payment.called", []),
        ("refund_payment.recorded", []),
        ("send_refund_notice.claimed", []),
        ("send_refund_notice.calling", ["refund_notice"]),
        ("send_refund_notice.called", ["refund_notice"]),
    ],
)
def test_a_refund_that_fails_while_its_order_is_about_to_end_calls_a_person(
    world: World, place: str, told: list[str]
) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    with at(place, lambda: refund_fails(world, order_id)):
        order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert (world.refunds(order_id), world.letters(order_id)) == ([("failed", 119_00)], told)
    assert waiting_events(world) == {}


def refund_fails(world: World, order_id: UUID) -> None:
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")


def test_a_person_who_resumes_a_refund_that_failed_meanwhile_finds_it_called_back(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    world.park(order_id)
    refund_fails(world, order_id)
    with world.begin() as session:
        resumption.resume(
            session, order_id, resumption.Resumption(Step.SEND_REFUND_NOTICE, Step.SEND_REFUND_NOTICE), by="ops"
        )
    order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.letters(order_id) == []


def test_the_notice_after_a_refund_that_failed_first_names_the_sum_once(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("server_error", REFUND, times=1)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]
    [mail] = world.mailbox.listed(f"to:{ada.email}")
    assert re.search(r"^Total refunded +€119\.00\s*$", world.mailbox.read(mail["ID"])["Text"], re.MULTILINE)
