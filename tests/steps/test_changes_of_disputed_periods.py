"""A period whose payment the customer's bank has taken back is not credited: it would become balance, which no bank takes back."""

import pytest

from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from tasks.operating import outside_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.policy import VatOutage
from tests.support.disputes import bought, happens, refused
from tests.support.payment import ASKS_BANK, given_up_and_paid_late
from tests.support.vat_outage import NUMBER, ask_again, during_outage
from tests.support.world import YEAR, Customer, World, change, purchase, trial


def newest_mail(world: World, customer: Customer) -> str:
    newest, *_ = world.mailbox.listed(f"to:{customer.email}")
    return " ".join(str(world.mailbox.read(newest["ID"])["Text"]).split())


@pytest.mark.parametrize(
    ("line", "statuses"),
    [
        (change("desk", seats=1), ["needs_response"]),
        (change("desk", seats=200), ["lost"]),
        (change("desk", interval=YEAR), ["needs_response", "lost"]),
    ],
)
def test_no_change_credits_what_the_bank_has(world: World, line: CartLine, statuses: list[str]) -> None:
    ada, _, charge = bought(world)
    happens(world, charge, *statuses)
    assert refused(world, ada, line) == [RefusalCode.PAYMENT_DISPUTED]
    assert world.buy(ada, purchase("chat")).status is OrderStatus.COMPLETED
    assert world.balance(ada) == 0


@pytest.mark.parametrize(
    "statuses", [["warning_needs_response"], ["warning_needs_response", "warning_closed"], ["needs_response", "won"]]
)
def test_a_change_credits_what_the_bank_has_not_taken_or_has_returned(world: World, statuses: list[str]) -> None:
    ada, _, charge = bought(world)
    happens(world, charge, *statuses)
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


def test_one_of_two_disputes_that_the_bank_has_decided_for_itself_is_enough(world: World) -> None:
    ada, _, charge = bought(world)
    for status in ("lost", "won"):
        world.stripe.control("dispute", payment_intent=charge, status=status, amount=19_00)
    world.notify(charge, "charge.dispute.closed")
    assert refused(world, ada, change("desk", seats=1)) == [RefusalCode.PAYMENT_DISPUTED]


@pytest.mark.parametrize("changes", [1, 2])
def test_what_the_bank_has_is_not_credited_by_way_of_the_changes_before_the_dispute(world: World, changes: int) -> None:
    ada, _, charge = bought(world)
    for seats in range(11, 11 + changes):
        world.pass_time(hours=1)
        assert world.buy(ada, change("desk", seats=seats)).status is OrderStatus.COMPLETED
    happens(world, charge, "needs_response", "lost")
    assert refused(world, ada, change("desk", seats=1)) == [RefusalCode.PAYMENT_DISPUTED]
    assert (world.balance(ada), world.subscription(ada, "desk").seats) == (0, 10 + changes)


def test_a_trial_beside_a_disputed_purchase_is_changed_as_it_cost_nothing(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk"), trial("chat", seats=2))
    happens(world, world.charge_ref(order.id), "needs_response")
    assert refused(world, ada, change("desk", seats=11)) == [RefusalCode.PAYMENT_DISPUTED]
    assert world.buy(ada, change("chat", seats=3)).status is OrderStatus.COMPLETED


def test_of_a_period_that_was_over_before_it_was_bought_again_nothing_was_credited(world: World) -> None:
    ada, _, charge = bought(world)
    world.pass_time(days=40)
    for line in (purchase("desk"), change("desk", seats=11)):
        assert world.buy(ada, line).status is OrderStatus.COMPLETED
    happens(world, charge, "lost")
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


def test_a_purchase_after_the_disputed_one_was_ended_is_not_paid_by_it(world: World) -> None:
    ada, order_id, charge = bought(world)
    happens(world, charge, "lost")
    outside_refunds.settle(order_id, by="Olga", why="dispute lost")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    for line in (purchase("desk"), change("desk", seats=11)):
        assert world.buy(ada, line).status is OrderStatus.COMPLETED


def test_a_charge_of_which_changes_have_left_nothing_keeps_nothing_from_being_changed(world: World) -> None:
    ada, _, charge = bought(world)
    for seats in (11, 12, 13):  # each leaves an hour of a month, so a 720th of what was left before
        world.pass_time(days=30, hours=-1)
        assert world.buy(ada, change("desk", seats=seats)).status is OrderStatus.COMPLETED
    happens(world, charge, "lost")
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


def test_a_chargeback_between_quote_and_order_rejects_the_order(world: World) -> None:
    ada, _, charge = bought(world)
    order_id = world.place(ada, change("desk", seats=1))
    happens(world, charge, "needs_response")
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "payment-disputed")
    assert (world.balance(ada), world.subscription(ada, "desk").seats) == (0, 10)


@pytest.mark.parametrize("status", ["needs_response", "lost"])
@pytest.mark.parametrize("seats", [1, 30])
def test_a_chargeback_after_the_check_of_the_cart_keeps_the_change_from_being_charged(
    world: World, status: str, seats: int
) -> None:
    ada, _, charge = bought(world)
    order_id = world.place(ada, change("desk", seats=seats))
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    happens(world, charge, status)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "payment-disputed")
    assert (world.charged(ada), world.balance(ada), world.subscription(ada, "desk").seats) == ([119_00], 0, 10)


def test_a_chargeback_while_the_change_waits_for_its_bank_undoes_it_and_refunds_what_it_charged(world: World) -> None:
    ada, _, charge = bought(world)
    world.give_card(ada, ASKS_BANK)
    order = world.buy(ada, change("desk", seats=30))
    assert order.status is OrderStatus.AWAITING_AUTHENTICATION
    happens(world, charge, "needs_response")
    world.authenticate(order.id)
    world.notify(world.charge_ref(order.id))
    order = world.run(order.id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "payment-disputed")
    assert world.given_back(ada) == [order.due_minor]
    assert (world.balance(ada), world.subscription(ada, "desk").seats) == (0, 10)
    assert world.mails(ada)[-1] == f"Order {order.number} was not carried out"
    assert "so the subscription could not be changed." in newest_mail(world, ada)


def test_a_chargeback_before_a_change_to_fewer_seats_is_activated_undoes_it(world: World) -> None:
    ada, _, charge = bought(world)
    order_id = world.place(ada, change("desk", seats=1))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    happens(world, charge, "needs_response")
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "payment-disputed")
    assert (world.balance(ada), world.subscription(ada, "desk").seats) == (0, 10)


def test_a_disputed_charge_that_the_order_has_no_use_for_keeps_nothing_from_being_changed(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    happens(world, late, "needs_response")
    assert world.buy(ada, change("desk", seats=1)).status is OrderStatus.COMPLETED


def test_a_lost_dispute_of_a_charge_whose_vat_became_balance_before_is_not_said_to_be_refunded_by_the_provider(
    world: World,
) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    world.vies.register(NUMBER, status="valid")
    ask_again(world)
    assert world.balance(eva) == 20_00
    happens(world, world.charge_ref(order.id), "lost")
    told = r"would give that twice, so nothing ends by paying\. What to do then: docs/disputes\.md, A disputed charge$"
    with pytest.raises(NotPossible, match=told):
        outside_refunds.settle(order.id, by="Olga", why="dispute lost")
