"""What an upstream sees of a contact who was erased: nothing, and nobody orders in their name."""

from uuid import UUID

import pytest

from models.accounts import Contact
from tasks.personal_data import erasure
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World


@pytest.fixture
def own(api: Api, ada: Customer) -> str:
    """The address of the contacts of ada's account; Bob may order, too."""
    own = f"/v1/accounts/{ada.account_id}/contacts"
    api.post(own, {"name": "Bob", "email": "bob@example.com", "is_billing_contact": True})
    return own


def erase(customer: Customer) -> None:
    erasure.erase(customer.email, by="bob", why="asked on 3 May")


def test_neither_a_quote_nor_an_order_is_granted_in_the_name_of_an_erased_contact(
    api: Api, ada: Customer, own: str
) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    erase(ada)
    assert problem(api.place(ada, quote)) == (409, "quote-expired")
    refused = api.quote(ada, purchase())
    assert problem(refused) == (422, "not-a-billing-contact")
    assert refused.json()["detail"] == (
        "Only a billing contact of the account can order. Please ask: Bob <bob@example.com>."
    )


def test_an_erased_contact_is_not_there_any_more(world: World, api: Api, ada: Customer, own: str) -> None:
    erase(ada)
    assert [contact["name"] for contact in api.get(own).json()["contacts"]] == ["Bob"]
    erased = f"{own}/{ada.contact_id}"
    assert problem(api.get(erased)) == (404, "not-found")
    assert problem(api("PATCH", erased, json={"name": "Ada", "is_billing_contact": True})) == (404, "not-found")
    [row] = world.rows(Contact, id=ada.contact_id)
    assert (row.name, row.is_billing_contact) == ("(erased)", False)


def test_whoever_comes_back_is_another_contact(api: Api, ada: Customer, own: str) -> None:
    erase(ada)
    added = api.post(own, {"name": "Ada", "email": ada.email, "is_billing_contact": True})
    assert added.status_code == 201
    assert added.json()["id"] != str(ada.contact_id)
    assert api.quote(ada, purchase(), contact_id=added.json()["id"]).status_code == 201


def test_the_orders_of_an_erased_contact_are_told_as_before(world: World, api: Api, ada: Customer, own: str) -> None:
    order = api.order(ada, purchase())
    world.run(UUID(order))
    before = api.get(f"/v1/orders/{order}").json()
    erase(ada)
    assert before["status"] == "completed"
    assert api.get(f"/v1/orders/{order}").json() == before


def test_without_a_billing_contact_others_can_still_be_renamed(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    bob = api.post(own, {"name": "Bob", "email": "bob@example.com", "is_billing_contact": False}).json()["id"]
    erase(ada)
    renamed = api("PATCH", f"{own}/{bob}", json={"name": "Robert", "is_billing_contact": False})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Robert")
