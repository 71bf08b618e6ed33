"""A card, or a whole customer, that somebody removed at the payment provider, in its Dashboard say."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from models.accounts import Account, PaymentMethod, PaymentMethodStatus
from models.orders import Order
from models.states import OrderStatus
from tasks.charges.late_charges import late_charges
from tasks.errors import Misconfigured
from tasks.operating import at_provider, order_story
from tasks.upstream import payment_details
from tests.support.backup import BackUp
from tests.support.messages import eventually
from tests.support.payment import CREATE, unanswered
from tests.support.world import Customer, World, purchase

DECLINED, REPLACED, USABLE = PaymentMethodStatus.DECLINED, PaymentMethodStatus.REPLACED, PaymentMethodStatus.USABLE


def methods(world: World, customer: Customer) -> list[tuple[str, PaymentMethodStatus]]:
    """Last digits and status, in the order in which they were given."""
    with world.begin() as session:
        own = select(PaymentMethod).where(PaymentMethod.account_id == customer.account_id)
        return [(row.last4, row.status) for row in session.scalars(own.order_by(PaymentMethod.created_at))]


def detach(world: World, customer: Customer) -> None:
    [method] = world.rows(PaymentMethod, account_id=customer.account_id, status=USABLE)
    world.stripe.client().v1.payment_methods.detach(method.ref)


def test_an_order_whose_card_was_detached_waits_for_another_and_is_charged_to_that(world: World) -> None:
    ada = world.customer()
    detach(world, ada)
    order = world.run(world.place(ada, purchase()))
    assert (order.status, order.reason) == (OrderStatus.PAYMENT_DECLINED, "payment-declined")
    assert order.reason_facts == {"decline_code": "payment_method_unusable", "attempt": 1}
    assert methods(world, ada) == [("4242", DECLINED)]
    assert (world.attempts(order.id), world.intents(ada)) == ([(1, "declined", 119_00)], [])
    world.give_card(ada, "pm_card_mastercard")
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_where_the_answer_about_a_detached_card_is_lost_the_order_waits_for_another_all_the_same(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    detach(world, ada)
    world.stripe.fail("answer_lost", "payment_intents.create", times=1)
    order = world.run(order_id)
    assert order.status is OrderStatus.PAYMENT_DECLINED
    assert (world.attempts(order_id), world.intents(ada)) == ([(1, "declined", 119_00)], [])


def customer_ref(world: World, customer: Customer) -> str:
    [ref] = [row.customer_ref for row in world.rows(Account, id=customer.account_id)]
    return str(ref)


def delete(world: World, customer: Customer) -> str:
    """Delete the customer; returns its id."""
    ref = customer_ref(world, customer)
    world.stripe.client().v1.customers.delete(ref)
    return ref


def taken_from(world: World, ref: str) -> list[int]:
    return [charge["amount"] for charge in world.stripe.books(ref)["charges"]]


def test_an_order_whose_customer_was_deleted_waits_for_a_card_and_is_charged_to_another_customer(world: World) -> None:
    ada = world.customer()
    gone = delete(world, ada)
    order = world.run(world.place(ada, purchase()))
    assert (order.status, order.reason_facts) == (
        OrderStatus.PAYMENT_DECLINED,
        {"decline_code": "customer_deleted", "attempt": 1},
    )
    assert (methods(world, ada), world.attempts(order.id)) == ([("4242", DECLINED)], [(1, "declined", 119_00)])
    world.give_card(ada, "pm_card_mastercard")
    assert methods(world, ada) == [("4242", DECLINED), ("4444", USABLE)]
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert customer_ref(world, ada) != gone
    assert (world.charged(ada), taken_from(world, gone)) == ([119_00], [])


def test_after_its_customer_was_deleted_an_account_gets_one_other_and_its_old_card_is_charged_no_more(
    world: World,
) -> None:
    ada = world.customer()
    gone = delete(world, ada)
    stored = [payment_details.store(ada.account_id, token) for token in ("pm_card_mastercard", "pm_card_amex")]
    assert [method.last4 for method in stored] == ["4444", "8431"]
    assert methods(world, ada) == [("4242", REPLACED)]
    other = customer_ref(world, ada)
    assert other != gone
    attached = world.stripe.client().v1.customers.payment_methods.list(other).data
    assert [method.id for method in attached] == [method.ref for method in stored][::-1]


def test_a_customer_is_replaced_as_often_as_it_is_deleted(world: World) -> None:
    ada = world.customer()
    refs = set()
    for token in ("pm_card_mastercard", "pm_card_amex"):
        refs.add(delete(world, ada))
        world.give_card(ada, token)
    refs.add(customer_ref(world, ada))
    assert len(refs) == 3
    assert methods(world, ada) == [("4242", REPLACED), ("4444", REPLACED), ("8431", USABLE)]
    world.buy(ada, purchase())
    assert world.charged(ada) == [119_00]


def asked_again(_world: World) -> None:
    pass


def key_forgotten(world: World) -> None:
    world.stripe.expire_keys()
    world.pass_time(hours=24)


@pytest.mark.parametrize("then", [asked_again, key_forgotten])
def test_a_charge_under_way_is_found_with_the_customer_that_was_deleted_and_not_made_again(
    world: World, then: Callable[[World], None]
) -> None:
    ada = world.customer()
    order_id = unanswered(world, ada)
    gone = delete(world, ada)
    world.give_card(ada, "pm_card_mastercard")
    with world.begin() as session:
        story = order_story.tell(session, order_id)
    assert [(row.what, row.status, row.amount_minor) for row in at_provider.look_up(story)] == [
        ("charge", "succeeded", 119_00)
    ]
    then(world)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (taken_from(world, gone), world.charged(ada)) == ([119_00], [])
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]


def paid_and_forgotten(world: World, ada: Customer, order_id: UUID, backed_up: BackUp) -> str:
    """A card is given and pays, by a customer made for it, neither of which the restored database knows; returns that customer's id."""
    restore = backed_up()
    world.give_card(ada, "pm_card_mastercard")
    paid = customer_ref(world, ada)
    world.stripe.expire_keys()  # so the next card makes a customer, too
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    restore()
    return paid


def pay(world: World, ada: Customer, order_id: UUID) -> Order:
    world.give_card(ada, "pm_card_amex")
    world.pay_again(order_id)
    if world.go_on(order_id).status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order_id)
        world.go_on(order_id)
    return world.order(order_id)


@pytest.mark.parametrize("then", [asked_again, key_forgotten])
def test_a_charge_with_a_customer_that_a_restored_database_has_forgotten_is_found_and_not_made_again(
    world: World, backed_up: BackUp, then: Callable[[World], None]
) -> None:
    ada = world.customer()
    gone = delete(world, ada)
    order_id = world.place(ada, purchase())
    world.placed_now(order_id)
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    paid = paid_and_forgotten(world, ada, order_id, backed_up)
    then(world)
    assert pay(world, ada, order_id).status is OrderStatus.COMPLETED
    assert len({gone, paid, customer_ref(world, ada)}) == 3
    assert (taken_from(world, paid), world.charged(ada)) == ([119_00], [])
    assert world.attempts(order_id) == [(1, "declined", 119_00), (2, "succeeded", 119_00)]


def test_money_that_arrived_late_with_a_customer_that_was_deleted_goes_back(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    order_id = world.run(world.place(ada, purchase())).id
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    world.stripe.calm()
    assert eventually(lambda: len(world.charged(ada)) == 2)
    gone = delete(world, ada)
    world.give_card(ada, "pm_card_mastercard")
    world.pass_time(minutes=15)
    assert late_charges() == 1
    assert [refund["amount"] for refund in world.stripe.books(gone)["refunds"]] == [119_00]
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_a_customer_that_the_provider_never_had_is_for_a_person_and_nothing_is_changed(world: World) -> None:
    """As with an API key of another account, or of the other mode: nobody may have to give a card anew because of that."""
    ada = world.customer()
    world.change_account(ada, customer_ref="cus_in_test_mode")
    order_id = world.place(ada, purchase())
    said = "Stripe's API key finds no customer cus_in_test_mode: is it of the Stripe account, and in the mode"
    with pytest.raises(Misconfigured, match=said):
        world.run(order_id)
    with pytest.raises(Misconfigured, match=said):
        world.give_card(ada, "pm_card_mastercard")
    assert (methods(world, ada), customer_ref(world, ada)) == ([("4242", USABLE)], "cus_in_test_mode")
    assert (world.order(order_id).status, world.attempts(order_id)) == (
        OrderStatus.NEEDS_ATTENTION,
        [(1, "pending", 119_00)],
    )
