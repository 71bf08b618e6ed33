"""What went back to the card in the provider's dashboard is not credited once more: no change gives out more than remains paid."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from models import refunded_elsewhere
from models.order_lock import lock_order
from models.orders import Order
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from models.subscriptions import Subscription, SubscriptionPeriod
from models.vat_follow_ups import FollowUpOutcome
from tasks.operating import dispute_settlements
from tasks.policy import VatOutage
from tasks.ports import Refund, RefundStatus
from tasks.refunds import refunds_elsewhere
from tests.steps.test_changes_of_disputed_periods import newest_mail
from tests.steps.test_refunds_elsewhere import comes_back
from tests.steps.test_vat_of_disputed_charges import loses, told
from tests.support.disputes import bought, give_back, named, refused
from tests.support.payment import given_up_and_paid_late, refund_by_hand
from tests.support.places import at
from tests.support.vat_outage import ask_again, during_outage, follow_up, nothing_differs
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase, trial

REFUNDED = [RefusalCode.PAYMENT_REFUNDED]


def goes_back(world: World, order_id: UUID, minor: int) -> None:
    refund_by_hand(world, order_id, minor)
    world.notify(world.charge_ref(order_id), "charge.refunded")


def half_is_over(world: World, customer: Customer) -> None:
    running = world.subscription(customer, "desk")
    world.time = running.period_start + (running.period_end - running.period_start) / 2


@pytest.mark.parametrize("line", [change("desk", seats=1), change("desk", seats=200), change("desk", interval=YEAR)])
def test_no_change_credits_what_went_back(world: World, line: CartLine) -> None:
    ada, order_id, _ = bought(world)
    goes_back(world, order_id, 119_00)
    assert refused(world, ada, line) == REFUNDED
    assert world.buy(ada, purchase("chat")).status is OrderStatus.COMPLETED
    assert world.balance(ada) == 0


def test_a_purchase_that_went_back_is_ended_by_support_and_can_be_bought_anew(world: World) -> None:
    ada, order_id, _ = bought(world)
    goes_back(world, order_id, 119_00)
    give_back(order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    for line in (purchase("desk"), change("desk", seats=1)):
        assert world.buy(ada, line).status is OrderStatus.COMPLETED
    assert named(world) == []


@pytest.mark.parametrize(("minor", "credited"), [(59_51, 59_48), (59_50, 59_50)])
def test_after_a_part_went_back_what_is_left_of_the_period_is_credited_once_that_much_remains_paid(
    world: World, minor: int, credited: int
) -> None:
    """Half a month after the purchase for 119.00 its change credits 59.50."""
    ada, order_id, _ = bought(world)
    goes_back(world, order_id, minor)
    assert refused(world, ada, change("desk", seats=11)) == REFUNDED
    half_is_over(world, ada)
    if minor > 59_50:
        assert refused(world, ada, change("desk", seats=1)) == REFUNDED
        world.pass_time(minutes=10)
    order = world.buy(ada, change("desk", seats=1))
    assert (order.status, world.balance(ada)) == (OrderStatus.COMPLETED, credited - 11_90)


def test_what_went_back_of_a_charge_that_changes_have_credited_is_not_credited_by_the_next(world: World) -> None:
    ada, order_id, _ = bought(world)
    for seats in (11, 12):
        assert world.buy(ada, change("desk", seats=seats)).status is OrderStatus.COMPLETED
    goes_back(world, order_id, 119_00)
    assert refused(world, ada, change("desk", seats=1)) == REFUNDED


def test_what_went_back_of_a_change_keeps_the_period_for_as_long_as_more_than_the_rest_is_left_of_it(
    world: World,
) -> None:
    ada, _, _ = bought(world)
    changed = world.buy(ada, change("desk", seats=11))
    goes_back(world, changed.id, 11_90)
    assert refused(world, ada, change("desk", seats=1)) == REFUNDED
    world.pass_time(days=3)
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


@pytest.mark.parametrize("seats", [[1], [5, 1]])
def test_goodwill_from_before_a_change_does_not_keep_the_period_that_the_change_began(
    world: World, seats: list[int]
) -> None:
    """What it cost was paid: the change was credited no more than remained."""
    ada = world.customer()
    bought = world.buy(ada, purchase("desk", interval=YEAR))
    goes_back(world, bought.id, 119_00)
    world.pass_time(days=40)
    for count in seats:
        assert world.buy(ada, change("desk", seats=count)).status is OrderStatus.COMPLETED
    balance = world.balance(ada)
    order = world.buy(ada, change("desk", seats=2))
    assert (order.status, order.lines[0].unused_minor) == (OrderStatus.COMPLETED, 100_00)
    assert world.balance(ada) == balance - 119_00


def refunded_of_the_running_period(world: World, product: str = "desk") -> int:
    of_running = (
        select(refunded_elsewhere.of_period())
        .select_from(SubscriptionPeriod)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(Subscription.product_code == product, SubscriptionPeriod.closed_at.is_(None))
    )
    with world.begin() as session:
        return session.scalars(of_running).one()


@pytest.mark.parametrize(("after", "counted"), [(595_00, 0), (595_01, 1), (714_00, 119_00), (1190_00, 595_00)])
@pytest.mark.parametrize("before", [0, 595_00])
def test_what_goes_back_of_an_earlier_charge_counts_first_for_what_was_used_of_it_whenever_it_went(
    world: World, before: int, after: int, counted: int
) -> None:
    """Of 1190.00 half is used, and the other half is what the change's period costs."""
    ada = world.customer()
    bought = world.buy(ada, purchase("desk", interval=YEAR))
    if before:
        goes_back(world, bought.id, before)
    half_is_over(world, ada)
    changed = world.buy(ada, change("desk", seats=5))
    assert (changed.lines[0].unused_minor + changed.lines[0].unused_tax_minor, changed.due_minor) == (595_00, 0)
    if after > before:
        goes_back(world, bought.id, after - before)
    assert refunded_of_the_running_period(world) == counted


def test_a_charge_that_went_back_in_two_parts_around_a_change_is_not_credited_once_more(world: World) -> None:
    ada = world.customer()
    bought = world.buy(ada, purchase("desk", interval=YEAR))
    goes_back(world, bought.id, 595_00)
    half_is_over(world, ada)
    world.buy(ada, change("desk", seats=5))
    goes_back(world, bought.id, 595_00)
    half_is_over(world, ada)
    assert refused(world, ada, change("desk", seats=1, interval=MONTH)) == REFUNDED
    assert world.balance(ada) == 0


def test_of_two_charges_that_went_back_nothing_is_credited_once_more_although_one_went_before_the_second_change(
    world: World,
) -> None:
    """Of 119.00 nothing is used, then half of 238.00, for which the first charge alone would not have to be kept."""
    ada, first, _ = bought(world)
    second = world.buy(ada, change("desk", seats=20))
    assert second.due_minor == 119_00
    goes_back(world, first, 119_00)
    half_is_over(world, ada)
    assert world.buy(ada, change("desk", seats=10)).lines[0].unused_minor == 100_00
    assert refunded_of_the_running_period(world) == 0
    goes_back(world, second.id, 119_00)
    assert refunded_of_the_running_period(world) == 119_00
    assert refused(world, ada, change("desk", seats=1)) == REFUNDED


def test_of_a_charge_for_two_products_no_more_counts_for_what_one_of_them_was_changed_to_than_its_credit(
    world: World,
) -> None:
    ada = world.customer()
    bought = world.buy(ada, purchase("desk"), purchase("wiki", "basic", seats=10))
    half_is_over(world, ada)
    changed = world.buy(ada, change("desk", seats=20))
    goes_back(world, bought.id, bought.due_minor)
    assert refunded_of_the_running_period(world) == 59_50
    assert changed.due_minor == 238_00 - 59_50


def test_of_two_products_that_one_order_changed_only_the_one_whose_charge_went_back_counts(world: World) -> None:
    ada, first, _ = bought(world)
    world.buy(ada, purchase("wiki", "basic", seats=10))
    world.buy(ada, change("desk", seats=20), change("wiki", seats=20))
    goes_back(world, first, 119_00)
    assert (refunded_of_the_running_period(world), refunded_of_the_running_period(world, "wiki")) == (119_00, 0)


def test_goodwill_that_fails_after_a_change_covers_as_much_that_goes_back_then(world: World) -> None:
    ada = world.customer()
    bought = world.buy(ada, purchase("desk", interval=YEAR))
    goes_back(world, bought.id, 119_00)
    world.pass_time(days=40)
    world.buy(ada, change("desk", seats=1))
    comes_back(world, ada, 119_00)
    world.notify(world.charge_ref(bought.id), "refund.failed")
    goes_back(world, bought.id, 100_00)
    assert world.buy(ada, change("desk", seats=2)).status is OrderStatus.COMPLETED
    goes_back(world, bought.id, 40_00)
    assert refused(world, ada, change("desk", seats=1)) == REFUNDED


def test_a_refund_is_noted_before_a_change_is_activated_or_after_it_and_never_meanwhile(world: World) -> None:
    """Or the change would not know of it."""
    ada, bought_id, _ = bought(world)
    order_id = world.place(ada, change("desk", seats=1))
    refund = Refund("re_1", RefundStatus.SUCCEEDED, 119_00, "EUR")

    def noted_meanwhile() -> None:
        with world.begin() as session:
            session.execute(text("set local lock_timeout = '50ms'"))
            lock_order(session, bought_id)
            with pytest.raises(OperationalError, match="lock timeout"):
                refunds_elsewhere.note(session, bought_id, 1, [refund])

    with at("activate_subscription.called", noted_meanwhile):
        assert world.run(order_id).status is OrderStatus.COMPLETED
    assert "refund.elsewhere" not in world.timeline(bought_id)


def test_a_part_that_failed_to_go_back_is_credited(world: World) -> None:
    ada, order_id, charge = bought(world)
    goes_back(world, order_id, 119_00)
    comes_back(world, ada, 119_00)
    world.notify(charge, "refund.failed")
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED
    assert world.balance(ada) == 119_00 - 11_90


def test_a_trial_beside_what_went_back_is_changed_as_it_cost_nothing(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk"), trial("chat", seats=2))
    goes_back(world, order.id, 119_00)
    assert world.buy(ada, change("chat", seats=3)).status is OrderStatus.COMPLETED


def test_what_cost_nothing_beside_what_went_back_is_changed(world: World) -> None:
    world.reprice("wiki", "basic", MONTH, 0)
    ada = world.customer()
    order = world.buy(ada, purchase("desk"), purchase("wiki", "basic"))
    goes_back(world, order.id, 119_00)
    assert world.buy(ada, change("wiki", seats=20)).status is OrderStatus.COMPLETED


def test_what_went_back_of_a_charge_that_the_order_has_no_use_for_keeps_nothing_from_being_changed(
    world: World,
) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 119_00})
    world.notify(late, "charge.refunded")
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


@pytest.mark.parametrize("until", [Step.COMPUTE_PRORATION, Step.COLLECT_PAYMENT, Step.ACTIVATE_SUBSCRIPTION])
@pytest.mark.parametrize(("seats", "minor"), [(1, 119_00), (30, 119_00), (30, 1)])
def test_a_refund_while_a_change_is_carried_out_undoes_it(world: World, until: Step, seats: int, minor: int) -> None:
    """Of a cent, too: what the change credits, with its VAT, is all that was paid."""
    ada, bought_id, _ = bought(world)
    order_id = world.place(ada, change("desk", seats=seats))
    world.run(order_id, until=until)
    goes_back(world, bought_id, minor)
    order = world.run(order_id)
    charged = until is Step.ACTIVATE_SUBSCRIPTION and seats == 30
    assert order.status is (OrderStatus.REFUNDED if charged else OrderStatus.REJECTED)
    assert order.reason == "payment-refunded"
    assert (world.balance(ada), world.subscription(ada, "desk").seats) == (0, 10)
    if charged:
        assert (
            "was refunded in the meantime, in whole or in part, so the subscription could not be changed."
            in newest_mail(world, ada)
        )


@pytest.mark.parametrize(
    ("minor", "owed"), [(120_00, {}), (20_00, {}), (19_99, {"owed_minor": 1}), (7_00, {"owed_minor": 13_00})]
)
def test_vat_of_a_charge_of_which_a_part_went_back_is_left_to_a_person(
    world: World, minor: int, owed: dict[str, int]
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, minor)
    ask_again(world)
    assert (world.balance(eva), follow_up(world, order).outcome) == (0, FollowUpOutcome.CONFIRMED)
    assert told(world, order) == {"answer": "valid", "outcome": "confirmed", **owed}
    assert "vat.credit_withheld" not in world.timeline(order.id)


def in_the_dashboard(world: World, order: Order) -> None:
    goes_back(world, order.id, 7_00)
    ask_again(world)


def by_a_dispute_and_paid_again_later(world: World, order: Order) -> None:
    loses(world, order, 7_00)
    ask_again(world)
    dispute_settlements.settle(order.id, by="Olga", why="transfer of 3 May", paid_again=True)


@pytest.mark.parametrize("back", [in_the_dashboard, by_a_dispute_and_paid_again_later])
def test_vat_that_is_left_to_a_person_is_not_credited_by_a_later_change(
    world: World, back: Callable[[World, Order], None]
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    back(world, order)
    assert told(world, order)["owed_minor"] == 13_00
    half_is_over(world, eva)
    changed = world.buy(eva, change("desk", seats=1))
    assert (changed.lines[0].unused_minor, changed.lines[0].unused_tax_minor) == (50_00, 0)
    assert world.balance(eva) == 50_00 - 10_00
    assert [each for each in named(world) if each[0] != "what went back to its card"] == []


def test_vat_of_which_the_refund_fails_after_the_registrys_answer_is_not_credited_by_a_later_change(
    world: World,
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 20_00)
    ask_again(world)
    comes_back(world, eva, 20_00)
    world.notify(world.charge_ref(order.id), "refund.failed")
    assert world.noted(order.id, "vat.taken_off") == [{"product": "desk", "amount_minor": 20_00}]
    changed = world.buy(eva, change("desk", seats=1))
    assert changed.lines[0].unused_tax_minor == 0
    assert named(world) == []


def test_vat_of_a_period_that_a_change_has_closed_stays_as_the_change_credited_it(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    half_is_over(world, eva)
    world.buy(eva, change("desk", seats=1))
    goes_back(world, order.id, 7_00)
    ask_again(world, minutes=24 * 60)
    assert told(world, order)["outcome"] == "confirmed"
    assert world.noted(order.id, "vat.taken_off") == []
    assert [each for each in named(world) if each[0] != "what went back to its card"] == []


def test_vat_of_a_charge_that_went_back_is_not_in_the_way_of_ending_the_order(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    goes_back(world, order.id, 120_00)
    ask_again(world)
    give_back(order.id)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert (world.given_back(eva), world.balance(eva), nothing_differs(world)) == ([120_00], 0, True)
