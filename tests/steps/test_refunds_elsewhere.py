"""Refunds that somebody made in the provider's Dashboard: each is noted once, and the books tell of it."""

from uuid import UUID

import pytest
from sqlalchemy import update

from models import timeline
from models.orders import OrderEvent
from models.payments import RefundAttempt
from models.states import OrderStatus, RefundState, Step
from tasks.errors import Misconfigured
from tasks.operating import outside_refunds, resumption, support_refund
from tasks.operating.order_at_hand import NotPossible
from tests.support import books
from tests.support.payment import given_up_and_paid_late, refund_by_hand, refundable
from tests.support.places import at
from tests.support.world import Customer, World, purchase

KINDS = ("refund.created", "charge.refunded", "refund.updated", "charge.refunded")


def tell(world: World, order_id: UUID, *kinds: str) -> None:
    for kind in kinds or KINDS:
        world.notify(world.charge_ref(order_id), kind)


def noted(world: World, order_id: UUID, kind: str = "refund.elsewhere") -> list[tuple[str, int]]:
    """Each note: the provider's id of the refund, and its amount."""
    notes = world.rows(OrderEvent, order_id=order_id, kind=kind)
    return sorted((note.facts["refund"], note.facts["amount_minor"]) for note in notes)


def made(world: World, customer: Customer) -> list[tuple[str, int]]:
    """The provider's own books."""
    return sorted((refund["id"], refund["amount"]) for refund in world.books(customer)["refunds"])


def differences(world: World) -> list[tuple[str, str, str]]:
    return [(found.what, found.expected, found.found) for found in books.differences(world)]


def test_refunds_of_a_completed_order_are_each_noted_once_and_verify_names_what_went_back(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    refund_by_hand(world, order_id, 19_00)
    tell(world, order_id)
    assert noted(world, order_id) == made(world, ada)
    assert differences(world) == [("what went back to its card", "0", "1900")]
    refund_by_hand(world, order_id, 100_00)
    tell(world, order_id)
    assert noted(world, order_id) == made(world, ada)
    assert differences(world) == [("what went back to its card", "0", "11900")]
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_a_refund_by_support_after_a_part_went_back_elsewhere_ends_nothing_before_the_rest_is_back(
    world: World,
) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    refund_by_hand(world, order_id, 19_00)
    tell(world, order_id)
    with pytest.raises(NotPossible, match=r"the remaining 100\.00 EUR") as refused, world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="damaged", now=world.time)
    assert "dashboard" in str(refused.value)
    assert (world.order(order_id).status, world.subscription(ada, "desk").status) == (OrderStatus.COMPLETED, "active")
    refund_by_hand(world, order_id, 100_00)
    tell(world, order_id)
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="damaged", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert sum(amount for _, amount in made(world, ada)) == 119_00
    assert differences(world) == []


def test_a_part_that_failed_to_go_back_elsewhere_does_not_keep_support_from_refunding(world: World) -> None:
    order_id = world.buy(world.customer(card="pm_card_refundFail"), purchase()).id
    refund_by_hand(world, order_id, 19_00)
    tell(world, order_id)
    fail_all(world, order_id)
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="damaged", now=world.time)
    assert world.order(order_id).next_step is Step.REFUND_PAYMENT


@pytest.mark.parametrize("parts", [[19_00, 100_00], [119_00], [1_00, 18_00, 100_00]])
@pytest.mark.parametrize("told_before", [True, False])
def test_refunds_that_give_all_back_are_each_noted_once_and_the_order_ends_refunded(
    world: World, parts: list[int], *, told_before: bool
) -> None:
    ada, order_id = refundable(world)
    for part in parts:
        refund_by_hand(world, order_id, part)
    if told_before:
        tell(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert sorted(amount for _, amount in noted(world, order_id)) == parts
    tell(world, order_id)
    assert noted(world, order_id) == made(world, ada)
    [row] = world.rows(RefundAttempt, order_id=order_id)
    one_is_all = made(world, ada)[0][0] if len(parts) == 1 else None
    assert (row.status, row.amount_minor, row.ref) == (RefundState.SUCCEEDED, 119_00, one_is_all)
    assert differences(world) == []


def test_several_that_an_earlier_release_recorded_under_the_ref_of_the_first_are_counted_once(world: World) -> None:
    ada, order_id = refundable(world)
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    tell(world, order_id)
    world.run(order_id)
    with world.begin() as session:
        of_order = update(RefundAttempt).where(RefundAttempt.order_id == order_id)
        session.execute(of_order.values(ref=made(world, ada)[0][0]))
    assert differences(world) == []


def test_refunds_that_give_unexpected_money_back_are_each_noted_once(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    for part in (19_00, 100_00):
        world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": part})
    for kind in ("payment_intent.succeeded", *KINDS):
        world.notify(late, kind)
    assert noted(world, order_id) == made(world, ada)
    assert (world.refunds(order_id), differences(world)) == ([("succeeded", 119_00)], [])


def test_a_refund_that_fails_later_is_noted_too_and_nothing_differs_any_more(world: World) -> None:
    order_id = world.buy(world.customer(card="pm_card_refundFail"), purchase()).id
    refund_by_hand(world, order_id, 19_00)
    tell(world, order_id)
    assert differences(world) == [("what went back to its card", "0", "1900")]
    fail_all(world, order_id)
    assert noted(world, order_id, "refund.elsewhere_failed") == noted(world, order_id)
    assert differences(world) == []


def fail_all(world: World, order_id: UUID) -> None:
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: set(world.refunds_at_provider(charge)) == {"failed"})
    tell(world, order_id, "refund.failed", "refund.failed")


def test_the_refund_of_an_order_has_failed_as_soon_as_one_of_those_it_is_made_of_has(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    fail_all(world, order_id)
    assert is_called_back(world, order_id)
    assert (world.refunds(order_id), world.timeline(order_id).count("refund.failed")) == ([("failed", 119_00)], 1)
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="ops")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]


def comes_back(world: World, customer: Customer, amount: int) -> None:
    """The bank sends the newest refund of this amount back, and no other."""
    books = world.books(customer)
    failed = [refund for refund in books["refunds"] if refund["amount"] == amount][-1]
    why = {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    world.stripe.control("change", id=failed["id"], values=why)
    [charge] = [charge for charge in books["charges"] if charge["id"] == failed["charge"]]
    world.stripe.control("change", id=charge["id"], values={"amount_refunded": charge["amount_refunded"] - amount})


def test_a_part_that_failed_and_was_made_again_calls_back_nothing_until_another_fails(world: World) -> None:
    ada, order_id = refundable(world)
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    comes_back(world, ada, 19_00)
    tell(world, order_id, "refund.failed")
    assert is_called_back(world, order_id)
    refund_by_hand(world, order_id, 19_00)
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="ops")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    tell(world, order_id)
    assert world.order(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]
    assert differences(world) == []
    comes_back(world, ada, 100_00)
    tell(world, order_id, "refund.failed", "refund.failed")
    assert is_called_back(world, order_id)
    assert world.refunds(order_id) == [("failed", 119_00), ("failed", 119_00)]
    assert world.timeline(order_id).count("refund.failed") == 2


def test_a_part_that_failed_says_nothing_about_the_refund_of_the_orders_other_charge(world: World) -> None:
    """One charge was given up, and its money came all the same; both were given back in two parts each."""
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    for attempt, parts in ((1, (19_00, 100_00)), (2, (20_00, 99_00))):
        charge = late if attempt == 1 else world.charge_ref(order_id, attempt)
        for part in parts:
            world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": part})
        for kind in ("payment_intent.succeeded", *KINDS):
            world.notify(charge, kind)
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="damaged", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    comes_back(world, ada, 20_00)
    world.notify(world.charge_ref(order_id, attempt=2), "refund.failed")
    assert is_called_back(world, order_id)
    rows = world.rows(RefundAttempt, order_id=order_id)
    assert {row.charge_attempt: row.status for row in rows} == {1: RefundState.SUCCEEDED, 2: RefundState.FAILED}


def is_called_back(world: World, order_id: UUID) -> bool:
    order = world.order(order_id)
    return (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)


def test_one_that_was_the_orders_refund_and_failed_makes_up_for_no_part_of_the_next(world: World) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 119_00)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    comes_back(world, ada, 119_00)
    tell(world, order_id, "refund.failed")
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="ops")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert differences(world) == []
    comes_back(world, ada, 100_00)
    tell(world, order_id, "refund.failed", "refund.failed")
    assert is_called_back(world, order_id)


def test_an_entry_that_lacks_its_amount_does_not_keep_support_from_refunding(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    with world.begin() as session:
        timeline.note(session, order_id, "refund.elsewhere", {"attempt": 1, "refund": "re_x"})
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="damaged", now=world.time)
    assert world.order(order_id).next_step is Step.REFUND_PAYMENT


def test_one_that_is_noted_without_its_amount_is_not_noted_again(world: World) -> None:
    ada = world.customer()
    order_id = world.buy(ada, purchase()).id
    refund_by_hand(world, order_id, 19_00)
    [(ref, _)] = made(world, ada)
    with world.begin() as session:
        timeline.note(session, order_id, "refund.elsewhere", {"attempt": 1, "refund": ref})
    tell(world, order_id)
    [entry] = world.noted(order_id, "refund.elsewhere")
    assert entry == {"attempt": 1, "refund": ref}


@pytest.mark.parametrize("told_before", [True, False])
def test_one_that_failed_before_the_refund_of_the_order_was_made_calls_nothing_back(
    world: World, *, told_before: bool
) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 119_00)
    comes_back(world, ada, 119_00)
    if told_before:
        tell(world, order_id, "refund.created", "refund.failed")
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    tell(world, order_id, "refund.failed", *KINDS)
    assert world.order(order_id).status is OrderStatus.REFUNDED
    assert (world.refunds(order_id), "refund.failed" in world.timeline(order_id)) == ([("succeeded", 119_00)], False)
    assert noted(world, order_id, "refund.elsewhere_failed") == [each for each in made(world, ada) if each[1] == 119_00]
    assert differences(world) == []


@pytest.mark.parametrize("parts", [[19_00, 100_00], [119_00]])
def test_a_refund_found_in_place_of_ours_that_fails_before_it_is_recorded_is_not_relied_on(
    world: World, parts: list[int]
) -> None:
    ada, order_id = refundable(world, "pm_card_refundFail")
    for part in parts:
        refund_by_hand(world, order_id, part)
    with at("refund_payment.called", lambda: fail_all(world, order_id)):
        world.run(order_id)
    assert world.refunds(order_id) == [("pending", 119_00)]
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.given_back(ada)) == [*parts, 119_00]
    assert sorted(world.refunds(order_id)) == [
        ("failed", 119_00),
        ("succeeded", 119_00),
    ]  # the refusal is kept at its key
    assert differences(world) == []


def test_a_part_that_went_back_elsewhere_counts_as_settled_with_the_rest(world: World) -> None:
    _, order_id = refundable(world)
    refund_by_hand(world, order_id, 19_00)
    tell(world, order_id)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    settle(world, order_id)
    assert (world.run(order_id).status, differences(world)) == (OrderStatus.REFUNDED, [])


def test_what_was_settled_as_given_back_elsewhere_and_went_back_at_the_provider_too_is_named(world: World) -> None:
    _, order_id = refundable(world)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    settle(world, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    refund_by_hand(world, order_id, 119_00)
    tell(world, order_id)
    assert differences(world) == [("what went back to its card", "11900", "23800")]


def settle(world: World, order_id: UUID) -> None:
    outside_refunds.settle(order_id, by="ops", why="bank transfer")
