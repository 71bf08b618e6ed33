"""A name given twice, in a query, in the headers or in one object of a JSON body, is refused: nobody can know which of its values was meant."""

import json
import tracemalloc
from uuid import uuid4

import pytest

from api_stub.edge import json_bodies
from api_stub.edge.validation import MOST
from models.accounts import Language
from models.orders import Order, Quote
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World

ONCE = "appears more than once"
JSON = {"Content-Type": "application/json"}


def test_a_query_parameter_given_twice_is_named(api: Api, ada: Customer) -> None:
    answer = api.get("/v1/orders?limit=1&status=open&limit=2")
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"parameter": "limit", "detail": ONCE}]


def test_a_parameter_given_twice_that_is_none_is_told_that_it_is_none(api: Api, ada: Customer) -> None:
    (error,) = api.get(f"/v1/accounts/{ada.account_id}?a=1&a=1").json()["errors"]
    assert error == {"parameter": "a", "detail": "is not a parameter here; there are none"}


def test_each_name_given_twice_in_one_object_is_pointed_at(world: World, api: Api, ada: Customer) -> None:
    line, twice = json.dumps(purchase("desk")), '{"action": "trial", "action": "purchase", "seats": 1, "seats": 9}'
    names = f'"account_id": "{ada.account_id}", "contact_id": "{ada.contact_id}", "contact_id": null'
    answer = api.post("/v1/quotes", content=f'{{{names}, "lines": [{line}, {twice}]}}', headers=JSON)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [
        {"pointer": pointer, "detail": ONCE} for pointer in ("/contact_id", "/lines/1/action", "/lines/1/seats")
    ]
    assert world.rows(Quote) == []


def test_the_same_name_in_two_objects_is_no_repetition(api: Api, ada: Customer) -> None:
    assert api.quote(ada, purchase("desk"), purchase("chat")).status_code == 201


def test_nothing_is_changed_by_a_body_that_says_two_things(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    answer = api("PATCH", own, content=b'{"language": "fr", "language": "de"}', headers=JSON)
    assert problem(answer) == (422, "invalid-request")
    assert api.get(own).json()["language"] == Language.EN.value


def test_that_a_name_is_given_twice_is_said_only_to_who_may_ask(api: Api, ada: Customer) -> None:
    api.key = "prk_nobodys"
    for path in ("/v1/orders", f"/v1/accounts/{ada.account_id}/contacts"):
        answer = api.post(path, content=b'{"a": 1, "a": 2}', headers=JSON)
        assert problem(answer) == (401, "unauthorized")


def test_every_route_that_takes_json_notices(api: Api, ada: Customer) -> None:
    taking = [
        (method, path)
        for path, methods in api.client.get("/openapi.json").json()["paths"].items()
        for method, route in methods.items()
        if "application/json" in route.get("requestBody", {}).get("content", {}) and "security" in route
    ]
    assert ("post", "/v1/orders/{order_id}/payment-method") in taking
    for method, path in taking:
        names = {"account_id", "contact_id", "order_id", "subscription_id"}
        address = path.format(**{name: uuid4() for name in names})
        answer = api(method.upper(), address, content=b'{"a~/": 1, "a~/": 2}', headers=JSON)
        assert (problem(answer), answer.json()["errors"]) == (
            (422, "invalid-request"), [{"pointer": "/a~0~1", "detail": ONCE}],
        ), path  # fmt: skip


def test_the_body_is_gone_through_only_for_who_may_ask(
    api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_through: list[str] = []

    def places(text: str) -> list[tuple[str]]:
        gone_through.append(text)
        return [("a",)]

    monkeypatch.setattr(json_bodies, "_places", places)
    paths = ("/v1/orders", "/v1/quotes", f"/v1/accounts/{ada.account_id}/contacts")
    for key, times in (("prk_nobodys", 0), (api.key, 1)):
        api.key = key
        for path in paths:
            api.post(path, content=b'{"a": 1, "a": 2}', headers=JSON)
        assert len(gone_through) == times * len(paths)


def test_a_deep_and_wide_body_is_gone_through_in_little_memory(api: Api, ada: Customer) -> None:
    deep = 400
    content = b'{"a": 1, "a": 2, "b": ' + b"[" * deep + b"0" + b",0" * 15_000 + b"]" * deep + b"}"
    tracemalloc.start()
    try:
        answer = api.post("/v1/quotes", content=content, headers=JSON)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.json()["errors"] == [{"pointer": "/a", "detail": ONCE}]
    assert most < 6 * 1024 * 1024


def test_only_one_name_more_than_is_reported_is_looked_for() -> None:
    text = "[" + ",".join(['{"a":1,"a":2}'] * (MOST + 9)) + "]"
    assert [error["loc"] for error in json_bodies.GivenTwice(text).errors()] == [
        ("body", number, "a") for number in range(MOST + 1)
    ]


def test_the_place_is_found_however_deep() -> None:
    text = '{"a": [0, {"b": 1, "b": {"c": [[], {"d": 1, "d": 2}]}}]}'
    assert list(json_bodies._places(text)) == [("a", 1, "b"), ("a", 1, "b", "c", 1, "d")]


def test_a_name_that_is_half_a_surrogate_pair_is_pointed_at_too(api: Api, ada: Customer) -> None:
    answer = api.post("/v1/quotes", content=b'{"\\ud800": 1, "\\ud800": 2}', headers=JSON)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"pointer": "/\\ud800", "detail": ONCE}]
    alone = api("PATCH", f"/v1/accounts/{ada.account_id}", content=b'{"\\ud800": 1}', headers=JSON)
    assert problem(alone) == (422, "invalid-request")


def test_two_idempotency_keys_place_nothing(world: World, api: Api, ada: Customer) -> None:
    quote_id = api.quote(ada, purchase()).json()["id"]
    headers = [("Authorization", f"Bearer {api.key}"), ("Idempotency-Key", "one"), ("Idempotency-Key", "another")]
    body = {"account_id": str(ada.account_id), "quote_id": quote_id}
    answer = api.client.post("/v1/orders", json=body, headers=headers)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"header": "Idempotency-Key", "detail": ONCE}]
    assert world.rows(Order) == []


def test_of_two_last_event_ids_neither_is_believed(api: Api, ada: Customer) -> None:
    path = f"/v1/orders/{api.order(ada, purchase())}/events"
    headers = [("Authorization", f"Bearer {api.key}"), ("Last-Event-ID", "1"), ("Last-Event-ID", "2")]
    answer = api.client.get(path, headers=headers)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"header": "Last-Event-ID", "detail": ONCE}]


def test_two_headers_of_a_name_that_means_nothing_here_are_no_repetition(api: Api, ada: Customer) -> None:
    headers = [("Authorization", f"Bearer {api.key}"), ("Last-Event-ID", "1"), ("Last-Event-ID", "2")]
    assert api.client.get("/v1/orders", headers=headers).status_code == 200
