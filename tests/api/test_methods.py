"""Which methods an address knows: `Allow` names all of them, and HEAD is answered wherever GET is, save for a stream of events."""

from uuid import UUID

import httpx
import pytest

from tests.api.conftest import Api, problem
from tests.support import world as worlds
from tests.support.contract import DOCUMENT
from tests.support.world import Customer, World

NONE = UUID(int=0)
STREAM = "/v1/orders/{order_id}/events"
READ = [
    path
    for path, methods in DOCUMENT["paths"].items()
    if "get" in methods and path.startswith("/v1/") and path != STREAM
]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/orders", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/orders", "GET, HEAD, POST"),
        ("GET", "/v1/quotes", "POST"),
        ("HEAD", "/v1/quotes", "POST"),
        ("POST", f"/v1/accounts/{NONE}/cart", "DELETE, GET, HEAD, PUT"),
        ("DELETE", f"/v1/accounts/{NONE}/contacts/{NONE}", "GET, HEAD, PATCH"),
        ("HEAD", f"/v1/orders/{NONE}/events", "GET"),
        ("POST", f"/v1/orders/{NONE}/events", "GET"),
        ("OPTIONS", "/openapi.json", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
    ],
)
def test_a_method_that_an_address_does_not_know_is_told_which_it_knows(
    api: Api, method: str, path: str, allowed: str
) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert problem(answer) == (405, "method-not-allowed")


@pytest.fixture
def names(world: World, api: Api, ada: Customer) -> dict[str, str]:
    order = world.buy(ada, worlds.purchase(seats=3))
    return {
        "account_id": str(ada.account_id),
        "contact_id": str(ada.contact_id),
        "quote_id": str(order.quote_id),
        "order_id": str(order.id),
        "subscription_id": str(world.subscription(ada, "desk").id),
    }


def test_head_is_answered_as_get_is_without_the_body(live: str, api: Api, names: dict[str, str]) -> None:
    shared = ("content-type", "content-length", "content-disposition")
    with httpx.Client(base_url=live, headers={"Authorization": f"Bearer {api.key}"}, timeout=240) as client:
        for path in [*(each.format(**names) for each in READ), "/healthz", "/openapi.json"]:
            got, head = client.get(path), client.head(path)
            assert got.status_code == head.status_code == 200, path
            assert [head.headers.get(name) for name in shared] == [got.headers.get(name) for name in shared], path
            assert head.content == b"", path


@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/accounts/{NONE}"])
def test_head_needs_a_key_where_get_does(api: Api, path: str) -> None:
    api.key = "prk_nobodys"
    assert api("HEAD", path).status_code == 401


def test_the_document_tells_of_no_head() -> None:
    assert [path for path, methods in DOCUMENT["paths"].items() if "head" in methods] == []
