"""An order whose contact may order no more goes on with another billing contact; if none is named, it waits on."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from models.invoices import Invoice
from models.messages import SentLetter
from models.orders import Order
from models.states import OrderStatus
from tasks import placement
from tasks.upstream.who_orders import MayNotOrder
from tests.api.conftest import Api, problem, purchase
from tests.api.repeated import reopened
from tests.api.test_repeated_payment_details import once_its_card_is_stored
from tests.support.payment import DECLINES
from tests.support.world import MONTH, Customer, World

VISA = "pm_card_visa"


def waiting(world: World, api: Api, customer: Customer) -> UUID:
    api.use(customer)
    order_id = UUID(api.order(customer, purchase(seats=10)))
    assert world.run(order_id).status is not OrderStatus.COMPLETED
    return order_id


def eve_beside(api: Api, customer: Customer) -> str:
    """Eve becomes a billing contact, too; her id."""
    eve = f"eve-{customer.account_id.hex}@customer.example"
    own = f"/v1/accounts/{customer.account_id}/contacts"
    return str(api.post(own, {"name": "Eve", "email": eve, "is_billing_contact": True}).json()["id"])


def hand_on(api: Api, customer: Customer) -> str:
    """Eve becomes a billing contact instead of the customer; her id."""
    eve = eve_beside(api, customer)
    demote(api, customer, customer.contact_id)
    return eve


def demote(api: Api, customer: Customer, contact_id: UUID | str) -> None:
    own = f"/v1/accounts/{customer.account_id}/contacts/{contact_id}"
    assert api("PATCH", own, json={"is_billing_contact": False}).status_code == 200


def pay(api: Api, order_id: UUID, **details: Any) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/payment-method", details)


def handed_on(world: World, order_id: UUID) -> tuple[str, str]:
    """From whom to whom, as the timeline has it."""
    facts = world.noted(order_id, "order.reopened")[-1]
    return facts["from_contact_id"], facts["contact_id"]


def completed_with(world: World, order_id: UUID, contact_id: str) -> None:
    order = world.run(order_id)
    assert (order.status, str(order.contact_id)) == (OrderStatus.COMPLETED, contact_id)
    assert {str(letter.contact_id) for letter in world.rows(SentLetter, order_id=order_id)} == {contact_id}
    [invoice] = world.rows(Invoice, order_id=order_id)
    assert invoice.buyer["contact"] == "Eve"


def test_who_confirms_a_quote_of_their_own_is_the_orders_contact_from_then_on(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = UUID(api.order(ada, purchase(seats=10)))
    world.reprice("desk", "team", MONTH, 11_00)
    world.run(order_id)
    eve = hand_on(api, ada)
    own = api.quote(ada, purchase(seats=10), contact_id=eve).json()["id"]
    confirmed = api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": own}).json()
    assert (confirmed["status"], confirmed["contact_id"]) == ("open", eve)
    assert handed_on(world, order_id) == (str(ada.contact_id), eve)
    completed_with(world, order_id, eve)


def test_a_quote_for_somebody_who_may_order_no_more_confirms_nothing(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase(seats=10)))
    world.reprice("desk", "team", MONTH, 11_00)
    proposed = str(world.run(order_id).proposed_quote_id)
    hand_on(api, ada)
    answer = api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": proposed})
    assert problem(answer) == (422, "not-a-billing-contact")
    assert answer.json()["errors"][0]["pointer"] == "/quote_id"
    assert "Eve" in answer.json()["detail"]
    assert (world.order(order_id).status, reopened(world, order_id)) == (OrderStatus.AWAITING_CONFIRMATION, 0)


@pytest.mark.parametrize("card", [None, DECLINES], ids=["no card", "a declined card"])
def test_who_gives_a_card_says_who_orders_from_then_on(world: World, api: Api, card: str | None) -> None:
    customer = world.customer(card=card)
    order_id = waiting(world, api, customer)
    before = world.order(order_id).status
    eve = hand_on(api, customer)
    refused = pay(api, order_id, token=VISA)
    assert problem(refused) == (422, "not-a-billing-contact")
    assert refused.json()["errors"][0]["pointer"] == "/contact_id"
    assert (world.order(order_id).status, reopened(world, order_id)) == (before, 0)
    paid = pay(api, order_id, token=VISA, contact_id=eve).json()
    assert (paid["status"], paid["contact_id"]) == ("open", eve)
    assert handed_on(world, order_id) == (str(customer.contact_id), eve)
    assert paid["timeline"][-1]["facts"]["contact_id"] == eve
    completed_with(world, order_id, eve)


def test_who_asks_to_be_invoiced_says_who_orders_from_then_on(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    customer = world.customer(card=DECLINES, vat_number="DE136695976")
    order_id = waiting(world, api, customer)
    eve = hand_on(api, customer)
    assert problem(pay(api, order_id)) == (422, "not-a-billing-contact")
    assert pay(api, order_id, contact_id=eve).status_code == 200
    completed_with(world, order_id, eve)


def test_a_card_is_not_taken_from_an_order_that_nobody_may_go_on_with(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    order_id = waiting(world, api, customer)
    hand_on(api, customer)
    bob = world.customer()
    assert problem(pay(api, order_id, token=VISA, contact_id=str(bob.contact_id))) == (422, "not-a-billing-contact")
    assert api.get(f"/v1/accounts/{customer.account_id}/payment-method").json()["payment_method"] is None
    with pytest.raises(MayNotOrder, match="contact_id"), world.begin() as session:
        placement.pay_again(session, order_id=order_id)
    assert reopened(world, order_id) == 0


def test_an_order_given_to_somebody_else_is_theirs_though_its_contact_may_still_order(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    order_id = waiting(world, api, customer)
    eve = eve_beside(api, customer)
    assert pay(api, order_id, token=VISA, contact_id=eve).json()["contact_id"] == eve
    assert pay(api, order_id, token=VISA, contact_id=eve).json()["status"] == "open"
    assert [str(order.contact_id) for order in world.rows(Order, id=order_id)] == [eve]
    assert reopened(world, order_id) == 1


@pytest.fixture
def given(world: World, api: Api) -> tuple[UUID, str]:
    """An order whose own contact has given a card, and another contact who may order, too."""
    customer = world.customer(card=None)
    order_id = waiting(world, api, customer)
    eve = eve_beside(api, customer)
    assert pay(api, order_id, token=VISA).status_code == 200
    return order_id, eve


def test_the_same_card_for_another_contact_is_another_request_that_comes_too_late(
    world: World, api: Api, given: tuple[UUID, str]
) -> None:
    order_id, eve = given
    for status in ("open", "completed"):
        for contact_id in (eve, "018f6f6a-0000-7000-8000-000000000004"):
            refused = pay(api, order_id, token=VISA, contact_id=contact_id)
            assert (problem(refused), refused.json()["order_status"]) == ((409, "not-waiting"), status)
        world.run(order_id)
    own = str(world.order(order_id).contact_id)
    assert pay(api, order_id, token=VISA, contact_id=own).json()["contact_id"] == own
    assert reopened(world, order_id) == 1


def test_whoever_is_named_while_the_same_card_is_given_by_another_is_not_ignored(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faster request's card is declined; the slower one, of the same card, is a try of its own."""
    customer = world.customer(card=DECLINES)
    order_id = waiting(world, api, customer)
    eve = eve_beside(api, customer)

    def another_does_it() -> None:
        pay(api, order_id, token=DECLINES)
        world.run(order_id)

    once_its_card_is_stored(monkeypatch, another_does_it)
    slower = pay(api, order_id, token=DECLINES, contact_id=eve).json()
    assert (slower["status"], slower["contact_id"]) == ("open", eve)
