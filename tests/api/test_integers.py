"""Whole numbers: decimal digits in a query or a header; in JSON any number without a fraction, as JSON Schema counts them."""

from uuid import UUID

import pytest

from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer

WHOLE = "must be a whole number"
LAX = ["1_0", "5.0", "%205", "5%20", "%2B5", "%EF%BC%95", "0x5", "1e1"]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("text", LAX)
@pytest.mark.parametrize("parameter", ["limit", "before"])
def test_a_number_in_a_query_is_digits_and_nothing_else(api: Api, ada: Customer, parameter: str, text: str) -> None:
    for path in ("/v1/orders", f"/v1/accounts/{ada.account_id}/balance"):
        answer = api.get(f"{path}?{parameter}={text}")
        assert problem(answer) == (422, "invalid-request")
        assert answer.json()["errors"] == [{"parameter": parameter, "detail": WHOLE}]


@pytest.mark.parametrize("text", ["1_0", "5.0", "+5"])
def test_a_number_in_a_header_is_digits_and_nothing_else(api: Api, ada: Customer, text: str) -> None:
    answer = api.get(f"/v1/orders/{UUID(int=0)}/events", headers={"Last-Event-ID": text})
    assert problem(answer) == (422, "invalid-request")
    assert {"header": "Last-Event-ID", "detail": WHOLE} in answer.json()["errors"]


def test_a_number_out_of_range_is_told_so(api: Api, ada: Customer) -> None:
    for text, told in (("-1", "must be at least 1"), ("101", "must be at most 100"), ("005", None)):
        answer = api.get(f"/v1/orders?limit={text}")
        assert answer.json().get("errors", [{"detail": None}])[0]["detail"] == told


@pytest.mark.parametrize("seats", ["2.0", "2e0", "20E-1"])
def test_a_number_in_json_may_be_written_with_a_fraction_of_nothing(api: Api, ada: Customer, seats: str) -> None:
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/cart", content=_cart(seats), headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["lines"][0]["seats"] == 2


@pytest.mark.parametrize("seats", ["2.5", '"2"', "true", "1e400", "NaN", "[2]"])
def test_whatever_else_is_no_whole_number(api: Api, ada: Customer, seats: str) -> None:
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/cart", content=_cart(seats), headers=JSON)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"pointer": "/lines/0/seats", "detail": WHOLE}]


def _cart(seats: str) -> str:
    others = {name: value for name, value in purchase().items() if name != "seats"}
    line = ", ".join(f'"{name}": "{value}"' for name, value in others.items())
    return f'{{"lines": [{{{line}, "seats": {seats}}}]}}'
