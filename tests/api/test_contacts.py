"""The contacts of an account, and where letters are sent."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from models.account_lock import lock_account
from models.accounts import Contact
from tasks.upstream import api_keys
from tests.api.conftest import Api, problem, purchase
from tests.support.waiting import until_it_waits_for
from tests.support.world import Customer, World


def test_a_contact_is_added_once_and_named_as_billing_contact(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    added = api.post(own, {"name": "Bob", "email": "Bob@Customer.example"})
    assert (added.status_code, added.json()["email"]) == (201, "bob@customer.example")
    assert problem(api.post(own, {"name": "Bobby", "email": "bob@customer.example"})) == (409, "email-taken")
    assert api.quote(ada, purchase(), contact_id=added.json()["id"]).status_code == 422
    named = api("PATCH", added.headers["location"], json={"is_billing_contact": True})
    assert named.json()["is_billing_contact"] is True
    assert api.quote(ada, purchase(), contact_id=added.json()["id"]).status_code == 201
    assert [contact["name"] for contact in api.get(own).json()["contacts"]] == ["Ada Byron", "Bob"]


def test_a_contact_that_was_added_before_is_named_so_that_a_lost_answer_can_be_asked_for_again(
    world: World, api: Api, ada: Customer
) -> None:
    bob = world.customer()
    own = f"/v1/accounts/{ada.account_id}/contacts"
    wanted = {"name": "Bob", "email": bob.email}
    added = api.post(own, wanted)
    assert added.status_code == 201
    again = api.post(own, wanted | {"email": bob.email.upper()})
    assert problem(again) == (409, "email-taken")
    assert again.json()["contact_id"] == added.json()["id"] != str(bob.contact_id)
    assert api.get(f"{own}/{again.json()['contact_id']}").json() == added.json()


def test_a_contact_of_another_account_is_not_there(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    path = f"/v1/accounts/{ada.account_id}/contacts/{bob.contact_id}"
    assert problem(api.get(path)) == (404, "not-found")
    assert problem(api("PATCH", path, json={"name": "Eve"})) == (404, "not-found")


def test_somebody_stays_able_to_order(world: World, api: Api, ada: Customer) -> None:
    world.customer()  # somebody of another account does not count
    own = f"/v1/accounts/{ada.account_id}/contacts/{ada.contact_id}"
    assert problem(api("PATCH", own, json={"is_billing_contact": False})) == (409, "last-billing-contact")
    assert api.get(own).json()["is_billing_contact"] is True


def test_of_two_who_stop_ordering_at_once_one_stays(world: World, api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    bob = api.post(own, {"name": "Bob", "email": "bob@customer.example", "is_billing_contact": True})
    with ThreadPoolExecutor() as pool:
        with world.begin() as first:
            lock_account(first, ada.account_id)
            first.get_one(Contact, ada.contact_id).is_billing_contact = False
            first.flush()
            later = pool.submit(api, "PATCH", bob.headers["location"], json={"is_billing_contact": False})
            until_it_waits_for(first, later)
        assert problem(later.result()) == (409, "last-billing-contact")


def test_a_contact_does_not_wait_for_a_key_that_is_being_issued(world: World, api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts/{ada.contact_id}"
    with world.impatient(), world.begin() as another:
        api_keys.issue(another, name=uuid4().hex, scopes=[], account_ids=[ada.account_id], by="root")
        renamed = api("PATCH", own, json={"name": "Ada Lovelace"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Ada Lovelace")


def test_an_email_address_comes_without_a_name(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    answer = api.post(own, {"name": "Bob", "email": "Bob <bob@example.com>"})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["detail"] == ("give the address alone, such as ada@example.com, without a name")


def test_letters_are_sent_to_no_address_that_looks_encoded(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/contacts"
    answer = api.post(own, {"name": "Bob", "email": "=?utf-8?q?bob=40b.example=2c?=@example.com"})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [
        {"pointer": "/email", "detail": "must not contain =?, where mail programs see encoded text"}
    ]
