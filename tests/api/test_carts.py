"""The cart that is kept for an account."""

from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer


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
    assert problem(api("PUT", own, json={"lines": [purchase(seats=0)]})) == (422, "seats-out-of-range")
