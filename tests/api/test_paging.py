"""Lists come page by page, in their order, without a gap or a repetition, whatever happens between two pages."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert

from models.accounts import Contact
from models.base import uuid7
from models.subscriptions import SeatAssignment
from tasks.operating import support_refund
from tasks.personal_data import erasure
from tests.api.conftest import Api, problem
from tests.support import world as worlds
from tests.support.world import Customer, World

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def pages(api: Api, path: str, what: str, *, limit: int) -> Iterator[list[dict[str, Any]]]:
    asked: dict[str, Any] = {"limit": limit}
    while True:
        answer = api.get(path, params=asked).json()
        yield answer[what]
        if answer["next_after"] is None:
            return
        asked["after"] = answer["next_after"]


def add_contacts(world: World, customer: Customer, *names: str) -> None:
    rows = [
        {"id": uuid7(), "account_id": customer.account_id, "name": name, "email": f"{uuid4().hex}@x.example"}
        for name in names
    ]
    with world.begin() as session:
        session.execute(insert(Contact), rows)


@pytest.fixture
def seats_path(world: World, ada: Customer) -> str:
    """Where five users are listed: two assigned at noon, two at one o'clock, one at two."""
    world.buy(ada, worlds.purchase(seats=9))
    subscription_id = world.subscription(ada, "desk").id
    with world.begin() as session:
        for user, hours in (("a", 0), ("b", 0), ("c", 1), ("d", 1), ("e", 2)):
            at, email = NOON + timedelta(hours=hours), f"{user}@x.example"
            session.add(SeatAssignment(subscription_id=subscription_id, user_email=email, assigned_at=at))
    return f"/v1/subscriptions/{subscription_id}/seats"


def test_accounts_come_by_id_page_by_page_and_only_those_of_the_key(world: World, api: Api) -> None:
    mine = [world.customer(card=None) for _ in range(5)]
    world.customer(card=None)
    api.use(*mine)
    found = list(pages(api, "/v1/accounts", "accounts", limit=2))
    assert [len(page) for page in found] == [2, 2, 1]
    assert [each["id"] for page in found for each in page] == sorted(str(each.account_id) for each in mine)


def test_contacts_come_by_id_page_by_page(world: World, api: Api, ada: Customer) -> None:
    add_contacts(world, ada, "Zoe", "Mia", "Mia", "Bob")
    own = f"/v1/accounts/{ada.account_id}/contacts"
    found = list(pages(api, own, "contacts", limit=2))
    assert [len(page) for page in found] == [2, 2, 1]
    ids = [each["id"] for page in found for each in page]
    assert ids == sorted(set(ids))
    assert len(ids) == 5


def test_a_contact_who_is_renamed_between_two_pages_leaves_no_gap(world: World, api: Api, ada: Customer) -> None:
    add_contacts(world, ada, "Bob", "Mia", "Zoe")
    own = f"/v1/accounts/{ada.account_id}/contacts"
    first = api.get(own, params={"limit": 2}).json()
    for contact, name in zip(first["contacts"], ("Aaron", "Zz"), strict=True):
        assert api("PATCH", f"{own}/{contact['id']}", json={"name": name}).status_code == 200
    rest = api.get(own, params={"after": first["next_after"]}).json()
    seen = [each["id"] for page in (first, rest) for each in page["contacts"]]
    assert len(seen) == len(set(seen)) == 4


def test_a_contact_who_is_erased_between_two_pages_leaves_no_gap(world: World, api: Api, ada: Customer) -> None:
    add_contacts(world, ada, "Bob", "Mia", "Zoe")
    own = f"/v1/accounts/{ada.account_id}/contacts"
    first = api.get(own, params={"limit": 2}).json()
    assert [each["name"] for each in first["contacts"]] == ["Ada Byron", "Bob"]
    erasure.erase(first["contacts"][-1]["email"], by="ops", why="asked on 3 May")
    rest = api.get(own, params={"after": first["next_after"]})
    assert [each["name"] for each in rest.json()["contacts"]] == ["Mia", "Zoe"]


def test_a_page_that_is_just_full_is_the_last(world: World, api: Api, ada: Customer) -> None:
    add_contacts(world, ada, "Bob")
    own = f"/v1/accounts/{ada.account_id}/contacts"
    assert [len(page) for page in pages(api, own, "contacts", limit=2)] == [2]


def test_twenty_are_listed_unless_told_and_a_hundred_at_most(world: World, api: Api, ada: Customer) -> None:
    add_contacts(world, ada, *(f"C{number:03}" for number in range(120)))
    own = f"/v1/accounts/{ada.account_id}/contacts"
    assert [len(api.get(own, params=asked).json()["contacts"]) for asked in ({}, {"limit": 100})] == [20, 100]
    for limit in (0, 101):
        assert problem(api.get(own, params={"limit": limit})) == (422, "invalid-request")


def test_subscriptions_come_by_product_page_by_page(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, *(worlds.purchase(product) for product in ("wiki", "desk", "chat")))
    found = list(pages(api, f"/v1/accounts/{ada.account_id}/subscriptions", "subscriptions", limit=2))
    assert [[each["product"] for each in page] for page in found] == [["chat", "desk"], ["wiki"]]


def test_users_come_newest_first_page_by_page_and_are_counted_whole(api: Api, ada: Customer, seats_path: str) -> None:
    found = list(pages(api, seats_path, "users", limit=2))
    assert ["".join(user["email"][0] for user in page) for page in found] == ["ed", "cb", "a"]
    assert [api.get(seats_path, params={"limit": limit}).json()["assigned"] for limit in (1, 5)] == [5, 5]


def test_a_user_who_loses_the_seat_between_two_pages_leaves_no_gap(api: Api, ada: Customer, seats_path: str) -> None:
    first = api.get(seats_path, params={"limit": 2}).json()
    assert api.post(f"{seats_path}/unassign", {"email": first["users"][-1]["email"]}).status_code == 200
    rest = api.get(seats_path, params={"after": first["next_after"]}).json()
    assert "".join(user["email"][0] for user in rest["users"]) == "cba"


def test_an_orders_documents_come_page_by_page(world: World, api: Api, ada: Customer) -> None:
    order_id = world.buy(ada, worlds.purchase()).id
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="for the test", now=world.time)
    world.run(order_id)
    found = list(pages(api, f"/v1/orders/{order_id}/invoices", "invoices", limit=1))
    assert [[each["kind"] for each in page] for page in found] == [["invoice"], ["credit_note"]]


@pytest.mark.parametrize("list_of", ["accounts/{account}/contacts", "accounts/{account}/subscriptions"])
def test_what_is_not_in_the_list_is_no_place_to_go_on_from(world: World, api: Api, ada: Customer, list_of: str) -> None:
    bob = world.customer()
    for after in (uuid4(), bob.contact_id, bob.account_id):
        answer = api.get(f"/v1/{list_of.format(account=ada.account_id)}", params={"after": str(after)})
        assert problem(answer) == (422, "invalid-request")
        detail = "is not from this list; take the `next_after` of a page, or leave it out to start at the beginning"
        assert answer.json()["errors"] == [{"parameter": "after", "detail": detail}]


def test_every_list_has_a_limit_and_says_how_to_go_on(api: Api) -> None:
    described = api.client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    one_things_own = {
        "CartView",
        "OrderView",
        "QuoteView",
        "ExplanationView",
        "CatalogueView",
    }  # no longer than a cart, an order's story, or a file that an operator writes
    paged = set()
    for path, methods in described["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        fields = schemas[name]["properties"] if name else {}
        if name in one_things_own or all(field.get("type") != "array" for field in fields.values()):
            continue
        paged.add(name)
        parameters = {parameter["name"] for parameter in methods["get"]["parameters"]}
        assert {"limit", "after"} <= parameters or {"limit", "before"} <= parameters, path
        assert {"next_after", "next_before"} & fields.keys(), path
    assert paged == {
        "AccountList", "BalanceView", "ContactList", "InvoiceList", "OrderPage", "SeatsView", "SubscriptionList",
    }  # fmt: skip
