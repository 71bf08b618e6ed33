"""The cart that is kept for an account."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from tasks.upstream import api_keys, carts
from tests.api.conftest import Api, problem, purchase
from tests.support.waiting import until_it_waits_for
from tests.support.world import Customer, World


def test_a_cart_is_kept_replaced_and_emptied(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    assert api.get(own).json() == {"lines": []}
    put = api("PUT", own, json={"lines": [purchase("wiki"), purchase("desk", seats=3)]})
    assert [line["product"] for line in put.json()["lines"]] == ["wiki", "desk"]
    replaced = api("PUT", own, json={"lines": [{"action": "change", "product": "desk", "seats": 4}]}).json()
    line = {"action": "change", "product": "desk", "tier": None, "seats": 4, "interval": None}
    assert replaced == api.get(own).json() == {"lines": [line]}
    assert [api("DELETE", own).status_code for _ in range(2)] == [204, 204]
    assert api.get(own).json() == {"lines": []}


def test_a_cart_has_one_line_per_product(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    answer = api("PUT", own, json={"lines": [purchase("desk"), purchase("chat"), purchase("desk")]})
    assert problem(answer) == (422, "product-twice")
    assert answer.json()["errors"][0]["pointer"] == "/lines/2/product"
    assert api.get(own).json() == {"lines": []}


def test_what_no_quote_could_have_is_not_kept_in_a_cart(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    assert api("PUT", own, json={"lines": [purchase(f"p{n}") for n in range(51)]}).status_code == 422
    for seats in (0, 2**31, 2**63 - 1):
        assert problem(api("PUT", own, json={"lines": [purchase(seats=seats)]})) == (422, "seats-out-of-range")


def test_a_cart_does_not_wait_for_a_key_that_is_being_issued(world: World, api: Api, ada: Customer) -> None:
    with world.impatient(), world.begin() as another:
        api_keys.issue(another, name=uuid4().hex, scopes=[], account_ids=[ada.account_id], by="root")
        put = api("PUT", f"/v1/accounts/{ada.account_id}/cart", json={"lines": [purchase("wiki")]})
    assert (put.status_code, [line["product"] for line in put.json()["lines"]]) == (200, ["wiki"])


def test_of_two_carts_at_once_the_later_one_is_kept(world: World, api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/cart"
    with ThreadPoolExecutor() as pool:
        with world.begin() as first:
            desk = CartLine(Action.PURCHASE, "desk", "team", seats=3, interval=Interval.MONTH)
            carts.put(first, account_id=ada.account_id, lines=[desk])
            later = pool.submit(api, "PUT", own, json={"lines": [purchase("wiki")]})
            until_it_waits_for(first, later)
        assert later.result().status_code == 200
    assert [line["product"] for line in api.get(own).json()["lines"]] == ["wiki"]
