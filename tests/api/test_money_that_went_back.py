"""What the customer of an order reads for which money was taken that it had no use for."""

from uuid import UUID

import pytest

from models.states import OrderStatus
from tests.api.conftest import Api
from tests.support.payment import DECLINES
from tests.support.world import Customer, World, purchase


@pytest.fixture
def charged_too_late(world: World, api: Api) -> UUID:
    """Its card was declined; another charge of the same attempt took money all the same, and that goes back."""
    bob = world.customer(card=DECLINES)
    api.use(bob)
    order_id = world.buy(bob, purchase("desk", "team", seats=10)).id
    world.notify(charged_once_more(world, bob))
    assert (world.charged(bob), world.given_back(bob)) == ([119_00], [119_00])
    return order_id


def charged_once_more(world: World, bob: Customer) -> str:
    [declined] = world.intents(bob)
    client, customer = world.stripe.client(), declined["customer"]
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    made = client.v1.payment_intents.create(
        {
            "amount": declined["amount"],
            "currency": declined["currency"],
            "customer": customer,
            "payment_method": card.id,
            "confirm": True,
            "return_url": "https://shop.example",
            "metadata": declined["metadata"],
        }
    )
    return made.id


def told(api: Api, order_id: UUID) -> str:
    return str(api.get(f"/v1/orders/{order_id}").json()["status_text"])


def test_an_order_that_waits_for_another_card_says_that_what_was_charged_is_refunded(
    world: World, api: Api, charged_too_late: UUID
) -> None:
    assert told(api, charged_too_late) == (
        "The payment was declined. What was charged is refunded to you. Please provide another payment method."
    )


def test_a_cancelled_order_says_that_what_was_charged_is_refunded(
    world: World, api: Api, charged_too_late: UUID
) -> None:
    assert world.cancel(charged_too_late) is OrderStatus.CANCELLED
    assert told(api, charged_too_late) == (
        "The order was cancelled at your request. What was charged is refunded to you."
    )
    explained = api.get(f"/v1/orders/{charged_too_late}/explanation").json()["settlement"]
    assert explained[0] == "Your order was cancelled. What was charged is refunded to you."


def test_an_order_that_another_card_has_paid_says_that_it_is_complete_and_no_more(
    world: World, api: Api, charged_too_late: UUID
) -> None:
    world.give_card(Customer(world.order(charged_too_late).account_id, UUID(int=0), ""))
    world.pay_again(charged_too_late)
    world.run(charged_too_late)
    assert told(api, charged_too_late) == "Your order is complete."


@pytest.mark.parametrize("status", ["needs_response", "won", "lost"])
def test_money_that_its_bank_has_asked_back_was_charged_all_the_same(world: World, api: Api, status: str) -> None:
    bob = world.customer(card=DECLINES)
    api.use(bob)
    order_id = world.buy(bob, purchase("desk", "team", seats=10)).id
    late = charged_once_more(world, bob)
    world.stripe.control("dispute", payment_intent=late, status=status)
    world.notify(late)
    assert (world.charged(bob), world.given_back(bob), world.refunds(order_id)) == ([119_00], [], [])
    assert world.cancel(order_id) is OrderStatus.CANCELLED
    assert told(api, order_id) == "The order was cancelled at your request. What was charged is refunded to you."
    [found] = [
        each for each in api.get(f"/v1/orders/{order_id}").json()["timeline"] if each["kind"] == "charge.unexpected"
    ]
    assert found["text"] == "A payment that this order has no use for was found."
