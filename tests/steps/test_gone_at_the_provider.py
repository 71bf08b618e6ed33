"""A card, or a whole customer, that somebody removed at the payment provider, in its Dashboard say."""

from sqlalchemy import select

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.states import OrderStatus
from tests.support.world import Customer, World, purchase


def methods(world: World, customer: Customer) -> list[tuple[str, PaymentMethodStatus]]:
    """Last digits and status, in the order in which they were given."""
    with world.begin() as session:
        own = select(PaymentMethod).where(PaymentMethod.account_id == customer.account_id)
        return [(row.last4, row.status) for row in session.scalars(own.order_by(PaymentMethod.created_at))]


def detach(world: World, customer: Customer) -> None:
    [method] = world.rows(PaymentMethod, account_id=customer.account_id, status=PaymentMethodStatus.USABLE)
    world.stripe.client().v1.payment_methods.detach(method.ref)


def test_an_order_whose_card_was_detached_waits_for_another_and_is_charged_to_that(world: World) -> None:
    ada = world.customer()
    detach(world, ada)
    order = world.run(world.place(ada, purchase()))
    assert (order.status, order.reason) == (OrderStatus.PAYMENT_DECLINED, "payment-declined")
    assert order.reason_facts == {"decline_code": "payment_method_unusable", "attempt": 1}
    assert methods(world, ada) == [("4242", PaymentMethodStatus.DECLINED)]
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
