"""Customers whose payments, refunds and events do not go smoothly."""

from typing import Any
from uuid import UUID

from sqlalchemy import text, update

from models.messages import WebhookReceived
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus, Step
from models.subscriptions import Trial
from tasks.operating import support_refund
from tests.support.world import Customer, World, purchase, trial

CREATE, REFUND = "payment_intents.create", "refunds.create"
DECLINES, ASKS_BANK = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


def spoil_activation(world: World, customer: Customer, order_id: UUID) -> None:
    """Charge the order, and then make it impossible to activate what was bought."""
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        session.add(
            Trial(account_id=customer.account_id, product_code="chat", order_id=order_id, started_at=world.time)
        )


def refundable(world: World, card: str = "pm_card_visa") -> tuple[Customer, UUID]:
    """A charged order that cannot be activated."""
    ada = world.customer(card=card)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    return ada, order_id


def refund(world: World, order_id: UUID) -> None:
    """By support."""
    with world.begin() as session:
        support_refund.refund(session, order_id, by="support", why="asked for", now=world.time)
    world.run(order_id)


def refund_that_fails(world: World) -> tuple[UUID, str]:
    """An order whose refund was accepted and has failed at the customer's bank since, of which we know nothing yet; its charge's ref."""
    _, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id)
    charge = world.charge_ref(order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    return order_id, charge


def refund_by_hand(world: World, order_id: UUID, amount: int) -> None:
    """In the provider's Dashboard."""
    charge = world.charge_ref(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": amount})


def waiting_events(world: World) -> dict[str, tuple[int, float | None]]:
    """Events not yet handled: id -> failed tries, and seconds until the next."""
    rows = world.rows(WebhookReceived, handled_at=None)
    return {
        row.id: (row.attempts, row.next_attempt_at and (row.next_attempt_at - world.time).total_seconds())
        for row in rows
    }


def unanswered(world: World, customer: Customer) -> UUID:
    """An order whose charge the provider has taken, while its answer to us was lost."""
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.run(world.place(customer, purchase())).id
    world.stripe.calm()
    assert (world.attempts(order_id), world.charged(customer)) == ([(1, "pending", 119_00)], [119_00])
    return order_id


def late_money(world: World, order_id: UUID) -> str:
    """The first attempt of an order is given up here, while the provider takes the money all the same."""
    with world.begin() as session:
        attempt = session.get_one(ChargeAttempt, (order_id, 1))
        attempt.status, ref = AttemptStatus.VOID, attempt.ref
        attempt.ref = None
    assert ref is not None
    return ref


def given_up_and_paid_late(world: World, customer: Customer) -> tuple[UUID, str]:
    """A charged order that is to be charged once more, and the provider's id of the charge that was given up."""
    order_id = world.place(customer, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    late = late_money(world, order_id)
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == order_id).values(next_step=Step.COLLECT_PAYMENT))
    return order_id, late


def charged_again(world: World, customer: Customer, **metadata: str) -> str:
    """Taken from the customer's card by somebody who is not us. Returns the provider's id of it."""
    made: dict[str, Any] = world.books(customer)["payment_intents"][0]
    client = world.stripe.client()
    intent = client.v1.payment_intents.create(
        {
            "amount": 50_00,
            "currency": "eur",
            "customer": made["customer"],
            "payment_method": made["payment_method"],
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "return_url": "https://shop.example/back",
            "metadata": metadata,
        }
    )
    return intent.id


def declined_often(world: World, customer: Customer) -> UUID:
    """An order of the customer, whose card must be `DECLINES`, with ten declined charges of today."""
    order_id = world.place(customer, purchase())
    world.run(order_id)
    with world.begin() as session:
        again = text("""
            insert into charge_attempts (order_id, attempt, key, amount_minor, currency, payment_method_id, status, settled_at)
            select order_id, n, key || n, amount_minor, currency, payment_method_id, status, settled_at
            from charge_attempts, generate_series(2, 10) n where order_id = :id
        """)
        session.execute(again, {"id": order_id})
    return order_id
