"""Whatever sets an order going again puts the message for its next step into the outbox, in the same transaction."""

from models.states import OrderStatus, Step
from tasks.operating import resumption
from tests.steps.test_sweep import lose_message
from tests.support.payment import ASKS_BANK, DECLINES, refundable
from tests.support.world import MONTH, World, purchase


def test_a_confirmed_order_is_published_from_its_first_step(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.reprice("desk", "team", MONTH, 12_00)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    lose_message(world)
    world.confirm(order_id)
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_an_order_that_is_paid_again_is_published_from_its_first_step(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    lose_message(world)
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_an_order_that_is_cancelled_while_the_bank_is_asked_is_published_from_its_payment(world: World) -> None:
    order_id = world.buy(world.customer(card=ASKS_BANK), purchase()).id
    lose_message(world)
    world.cancel(order_id)
    assert world.outbox() == [(order_id, Step.COLLECT_PAYMENT)]


def test_a_resumed_order_is_published_from_the_step_it_stood_at(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.park(order_id)
    lose_message(world)
    first = Step.VALIDATE_CART
    with world.begin() as session:
        resumption.resume(session, order_id, resumption.Resumption(first, first), by="the test")
    assert world.outbox() == [(order_id, first)]


def test_an_order_that_turns_back_is_published_from_its_refund(world: World) -> None:
    _, order_id = refundable(world)
    lose_message(world)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    assert world.outbox() == [(order_id, Step.REFUND_PAYMENT)]
