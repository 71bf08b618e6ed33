"""An operation that takes no body refuses one: what it would say, nobody reads."""

from uuid import UUID

import pytest

from models.states import OrderStatus
from tests.api.conftest import Api, problem, purchase
from tests.support.contract import DOCUMENT
from tests.support.world import Customer, World

NONE = {name: UUID(int=0) for name in ("account_id", "order_id")}
TAKES_NONE = [
    (method.upper(), path)
    for path, methods in DOCUMENT["paths"].items()
    for method, told in methods.items()
    if method != "get" and "requestBody" not in told
]


def test_only_cancelling_an_order_and_removing_a_cart_or_payment_method_take_no_body() -> None:
    assert TAKES_NONE == [
        ("POST", "/v1/orders/{order_id}/cancel"),
        ("DELETE", "/v1/accounts/{account_id}/payment-method"),
        ("DELETE", "/v1/accounts/{account_id}/cart"),
    ]


@pytest.mark.parametrize(("method", "path"), TAKES_NONE)
@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b'{"refund": "none"}', "application/json"), (b"[]", "application/json"), (b"not json", "text/xml")],
)
def test_a_body_that_nobody_reads_is_refused(
    api: Api, ada: Customer, method: str, path: str, content: bytes, media_type: str
) -> None:
    answer = api(method, path.format(**NONE), content=content, headers={"Content-Type": media_type})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"pointer": "", "detail": "must be left out: this operation takes no body"}]


def test_an_order_is_not_cancelled_by_a_request_that_asks_for_more(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    cancel = f"/v1/orders/{order_id}/cancel"
    assert api.post(cancel, {"refund": "none"}).status_code == 422
    assert api.get(f"/v1/orders/{order_id}").json()["status"] == OrderStatus.OPEN
    assert api.post(cancel).status_code == 200


@pytest.mark.parametrize("content", [b"", b"{}", b" {\r\n} "])
def test_an_empty_body_is_none(api: Api, ada: Customer, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    path = f"/v1/accounts/{ada.account_id}/cart"
    assert api("DELETE", path, content=content, headers=headers).status_code == 204


def test_that_no_body_is_taken_is_said_only_to_who_may_ask(api: Api, ada: Customer) -> None:
    api.key = "prk_nobodys"
    for method, path in TAKES_NONE:
        assert problem(api(method, path.format(**NONE), json={"a": 1})) == (401, "unauthorized")


def test_the_body_of_a_get_is_ignored_as_it_is_said(api: Api, ada: Customer) -> None:
    path = f"/v1/accounts/{ada.account_id}/cart"
    assert api("GET", path, json={"lines": "none"}).json() == api.get(path).json()
    assert "body of a `GET` or `HEAD`" in DOCUMENT["info"]["description"]
