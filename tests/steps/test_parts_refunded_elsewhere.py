"""An operator refunds an order of whose charge a part went back in the provider's dashboard, or to the customer's bank: nobody is sent to give back the rest in vain, or VAT twice."""

from collections.abc import Callable
from uuid import UUID

import pytest

from models.states import OrderStatus
from tasks.operating import outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.outside_refunds import Recorded
from tasks.policy import VatOutage
from tests.steps.test_changes_of_refunded_periods import goes_back
from tests.steps.test_refunds_elsewhere import comes_back
from tests.support.disputes import bought, dispute_part, give_back, named
from tests.support.vat_outage import NUMBER, ask_again, during_outage
from tests.support.world import Customer, World, change

NOT_BY_PAYING = r", so nothing ends by paying\. What to do then: docs/disputes\.md, A disputed charge$"
THE_PAGE = r"\. What to do then: docs/disputes\.md, Disputes and refunds in Stripe's Dashboard$"


def a_change(world: World) -> UUID:
    ada, _, _ = bought(world)
    return world.buy(ada, change("desk", seats=20)).id


def a_purchase_that_was_changed(world: World) -> UUID:
    ada, order_id, _ = bought(world)
    world.buy(ada, change("desk", seats=20))
    return order_id


def a_purchase_of_which_vat_became_balance(world: World) -> UUID:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    return order.id


CAN_NEVER_END = pytest.mark.parametrize(
    ("order", "why"),
    [
        (a_change, "order 1002 changed what was there before, and that cannot be brought back"),
        (
            a_purchase_that_was_changed,
            "what order 1001 bought was changed by a later order, and that cannot be brought back",
        ),
        (
            a_purchase_of_which_vat_became_balance,
            "20.00 EUR .* is on the account's balance already, .* would give that twice",
        ),
    ],
)


@pytest.mark.parametrize("minor", [20_00, None])
@CAN_NEVER_END
def test_who_can_never_end_it_is_told_so_and_not_to_refund_the_rest(
    world: World, order: Callable[[World], UUID], why: str, minor: int | None
) -> None:
    order_id = order(world)
    goes_back(world, order_id, minor or world.order(order_id).due_minor)
    with pytest.raises(NotPossible, match=why + THE_PAGE):
        give_back(order_id)
    assert world.order(order_id).status is OrderStatus.COMPLETED


@pytest.mark.parametrize(("minor", "status"), [(10_00, "lost"), (None, "lost"), (10_00, "won"), (None, "won")])
@CAN_NEVER_END
def test_who_can_never_end_it_because_of_a_dispute_is_told_so_and_not_to_pay(
    world: World, order: Callable[[World], UUID], why: str, minor: int | None, status: str
) -> None:
    order_id = order(world)
    dispute_part(world, world.charge_ref(order_id), minor or world.order(order_id).due_minor, status)
    before = world.timeline(order_id)
    for command in (give_back, record, settle):
        with pytest.raises(NotPossible, match=f"^{why}{NOT_BY_PAYING}"):
            command(order_id)
    assert (world.order(order_id).status, world.timeline(order_id)) == (OrderStatus.COMPLETED, before)


def record(order_id: UUID) -> Recorded:
    return outside_refunds.settle(order_id, by="Olga", why="dispute decided")


def vat_is_left_to_a_person(world: World) -> tuple[Customer, UUID]:
    """Of 120.00 the dashboard refunded 7.00 before the registry said that 20.00 of it, VAT, was not due: 13.00 is to be paid by other means."""
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 7_00)
    ask_again(world)
    return eva, order.id


def settle(order_id: UUID) -> Recorded:
    return outside_refunds.settle(order_id, by="Olga", why="VAT by transfer", rest_paid=True)


def test_vat_that_was_paid_by_other_means_is_not_refunded_with_the_rest(world: World) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    told = (
        r"Refund the remaining 113.00 EUR there, too; .* Of that 13.00 EUR is VAT that was to be paid by other means than a refund in the dashboard, once: "
        r"if it was, refund only 100.00 EUR there, and run `prorata orders refunded-outside 1001 --rest-paid --paid 13.00`"
    )
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)
    with pytest.raises(
        NotPossible, match="can still refund what order 1001 was charged: run `prorata orders refund 1001`"
    ):
        settle(order_id)
    goes_back(world, order_id, 100_00)
    with pytest.raises(NotPossible, match=r"13.00 EUR is VAT .*: if it was, refund nothing there"):
        give_back(order_id)
    settle(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.given_back(eva), world.balance(eva), world.subscription(eva, "desk").status) == (
        [7_00, 100_00],
        0,
        "ended",
    )
    assert named(world) == []


def test_vat_that_was_paid_in_the_dashboard_is_not_said_to_be_a_part_of_the_rest_that_was_paid(world: World) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    goes_back(world, order_id, 13_00)
    told = r"remaining 100.00 EUR there, too; .* by other means than a refund in the dashboard, once: if it was, refund only 87.00 EUR there"
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)
    goes_back(world, order_id, 100_00)
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (sorted(world.given_back(eva)), named(world)) == ([7_00, 13_00, 100_00], [])


def test_vat_that_was_not_paid_by_other_means_is_refunded_with_the_rest(world: World) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    goes_back(world, order_id, 113_00)
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (sorted(world.given_back(eva)), named(world)) == ([7_00, 113_00], [])


@pytest.mark.parametrize("paid", [13_00, 20_00])
def test_nobody_who_may_have_paid_vat_gets_the_whole_charge_refunded_once_the_part_has_failed(
    world: World, paid: int
) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    comes_back(world, eva, 7_00)
    world.notify(world.charge_ref(order_id), "refund.failed")
    told = r"Refund 120.00 EUR in the provider's dashboard.*Of that 20.00 EUR is VAT .*if it was, refund only 100.00"
    with pytest.raises(NotPossible, match=told):
        give_back(order_id)
    goes_back(world, order_id, 120_00 - paid)
    recorded = settle(order_id)
    assert (recorded.owed_minor, recorded.vat_minor) == (paid, paid)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert named(world) == []


@pytest.mark.parametrize("told_by", ["refund.failed", None])
@pytest.mark.parametrize(
    ("before", "says"),
    [
        ([20_00], "VAT of order 1001 was left to a person. Refund 120.00 EUR in .* Of that 20.00 EUR is VAT"),
        ([50_00], "VAT of order 1001 was left to a person. Refund 120.00 EUR in .* Of that 20.00 EUR is VAT"),
        ([19_99], "VAT of order 1001 was left to a person. Refund 120.00 EUR in .* Of that 20.00 EUR is VAT"),
        ([9_00, 11_00], "Refund the remaining 111.00 EUR there, too; .* Of that 11.00 EUR is VAT"),
    ],
)
def test_vat_that_is_owed_only_since_the_refund_of_it_failed_is_not_refunded_with_the_rest(
    world: World, before: list[int], says: str, told_by: str | None
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    for part in before:
        goes_back(world, order.id, part)
    ask_again(world)
    comes_back(world, eva, before[-1])
    if told_by:
        world.notify(world.charge_ref(order.id), told_by)
    with pytest.raises(NotPossible, match=rf"{says} that was to be paid .*: if it was, refund only 100.00 EUR there"):
        give_back(order.id)
    goes_back(world, order.id, 100_00)
    settle(order.id)
    assert (world.run(order.id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_a_refund_that_was_made_after_the_registrys_answer_and_failed_leaves_no_more_vat_to_a_person(
    world: World,
) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    goes_back(world, order_id, 100_00)
    comes_back(world, eva, 100_00)
    with pytest.raises(NotPossible, match=r"Of that 13.00 EUR is VAT .*: if it was, refund only 100.00 EUR there"):
        give_back(order_id)


def test_vat_that_is_due_is_not_left_to_a_person_when_a_refund_fails(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    world.vies.register(NUMBER, status="invalid")
    goes_back(world, order.id, 20_00)
    ask_again(world)
    comes_back(world, eva, 20_00)
    give_back(order.id)
    assert (world.run(order.id).status, world.given_back(eva)) == (OrderStatus.REFUNDED, [20_00, 120_00])


def test_without_vat_that_was_left_to_a_person_the_rest_is_not_taken_for_paid(world: World) -> None:
    _, order_id, _ = bought(world)
    goes_back(world, order_id, 100_00)
    with pytest.raises(NotPossible, match="the provider can still refund"):
        settle(order_id)


def test_a_rest_of_more_than_the_vat_that_a_person_was_told_to_pay_is_not_taken_for_paid(world: World) -> None:
    _, order_id = vat_is_left_to_a_person(world)
    goes_back(world, order_id, 99_99)
    with pytest.raises(NotPossible, match="can still refund what order 1001 was charged"):
        settle(order_id)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    with pytest.raises(NotPossible, match=r"if it was, refund only 0.01 EUR there"):
        give_back(order_id)
    goes_back(world, order_id, 1)
    assert settle(order_id).owed_minor == 13_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_vat_that_is_owed_as_the_refund_of_it_failed_may_be_paid_by_other_means_too(world: World) -> None:
    eva, order_id = vat_is_left_to_a_person(world)
    comes_back(world, eva, 7_00)
    world.notify(world.charge_ref(order_id), "refund.failed")
    goes_back(world, order_id, 99_99)
    with pytest.raises(NotPossible, match="can still refund what order 1001 was charged"):
        settle(order_id)
    goes_back(world, order_id, 1)
    assert settle(order_id).owed_minor == 20_00
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])
