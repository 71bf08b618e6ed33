"""What surrounds every request: errors as problems, limits, headers, webhooks, logs that tell nothing."""

import asyncio
import gzip
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from api_stub.edge import body_limit
from api_stub.edge.rate_limit import RateLimit
from models.messages import WebhookReceived
from tasks import placement
from tests.api.conftest import Api, problem, purchase, state
from tests.support.stripe_stand_in import WEBHOOK_SECRET
from tests.support.world import Customer, World
from worker.embedded import RedisServer


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, "not-found")),
        ("GET", "/v1/nothing", (404, "not-found")),
        ("GET", "/docs", (404, "not-found")),
        ("DELETE", "/v1/orders", (405, "method-not-allowed")),
        ("GET", "/v1/orders/", (404, "not-found")),
        ("GET", "/v1/orders/1001", (422, "invalid-request")),
        ("GET", "/v1/orders?limit=0", (422, "invalid-request")),
        ("GET", "/v1/orders?before=99999999999999999999", (422, "invalid-request")),
        ("GET", "/v1/orders?account_id=' or 1=1 --", (422, "invalid-request")),
    ],
)
def test_every_error_is_a_problem(api: Api, ada: Customer, method: str, path: str, expected: tuple[int, str]) -> None:
    assert problem(api(method, path)) == expected


def test_a_misspelled_query_parameter_is_named_with_those_there_are(api: Api, ada: Customer) -> None:
    answer = api.get("/v1/orders", params={"acount_id": str(ada.account_id), "limit": 1, "Status": "open"})
    assert problem(answer) == (422, "invalid-request")
    detail = "is not a parameter here; there are account_id, before, limit, status"
    assert answer.json()["errors"] == [
        {"parameter": "Status", "detail": detail},
        {"parameter": "acount_id", "detail": detail},
    ]


def test_a_body_that_is_no_json_is_malformed(api: Api, ada: Customer) -> None:
    for content in (b"{", b"", b"\xff", b"[" * 50_000, b'{"a": 1e999999}', b"null"):
        answer = api.post("/v1/quotes", content=content, headers={"Content-Type": "application/json"})
        assert problem(answer) in ((400, "malformed-request"), (422, "invalid-request")), content[:10]


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", "text/json", "nonsense"])
def test_json_that_is_called_something_else_is_told_so(api: Api, ada: Customer, media_type: str) -> None:
    for method, path in (("POST", "/v1/quotes"), ("PATCH", f"/v1/accounts/{ada.account_id}")):
        answer = api(method, path, content=b'{"language": "fr"}', headers={"Content-Type": media_type})
        assert problem(answer) == (415, "not-json")
        assert answer.json()["detail"] == "Send the body as application/json."


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", 'application/json; charset="UTF-8"', "application/merge-patch+json", None],
)
def test_json_is_read_by_its_own_names_and_without_one(api: Api, ada: Customer, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", content=b'{"language": "fr"}', headers=headers)
    assert (answer.status_code, answer.json()["language"]) == (200, "fr")


def test_every_route_that_takes_json_documents_what_it_says_to_anything_else(api: Api) -> None:
    paths = api.client.get("/openapi.json").json()["paths"]
    takes_json = {
        path: route["responses"].keys()
        for path, methods in paths.items()
        for route in methods.values()
        if "application/json" in route.get("requestBody", {}).get("content", {}) and "security" in route
    }
    assert "/v1/quotes" in takes_json
    assert [path for path, statuses in takes_json.items() if "415" not in statuses] == []


def test_an_unexpected_error_tells_nothing(api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("password=hunter2 of ada@customer.example")

    monkeypatch.setattr(placement, "quote", fail)
    with capture_logs() as logs:
        answer = api.quote(ada, purchase())
    assert problem(answer) == (500, "internal-error")
    assert "hunter2" not in answer.text + json.dumps(logs)
    failed = next(entry for entry in logs if entry["event"] == "request failed")
    assert (failed["error"], failed["request_id"]) == ("RuntimeError", answer.headers["x-request-id"])
    assert failed["at"][-1].startswith("test_edges.py:")


def test_of_very_many_wrong_lines_it_is_said_once_that_they_are_too_many(api: Api, ada: Customer) -> None:
    ids = {"account_id": str(ada.account_id), "contact_id": str(ada.contact_id)}
    for method, path, other in (("POST", "/v1/quotes", ids), ("PUT", f"/v1/accounts/{ada.account_id}/cart", {})):
        answer = api(method, path, json={"lines": [{}] * 50_000, **other})
        assert problem(answer) == (422, "invalid-request")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/lines"]


def test_a_short_request_has_no_long_answer(api: Api, ada: Customer) -> None:
    twice = ",".join(f'"k{number}":1,"k{number}":2' for number in range(60))
    wide = '{"' + "n" * 120_000 + '": {' + twice + "}}"
    deep = '{"n":' * 300 + "{" + twice + "}" + "}" * 300
    for content, start in ((wide, "/" + "n" * 99 + "…/k"), (deep, "/n" * 10 + "/…")):
        answer = api.post("/v1/quotes", content=content, headers={"Content-Type": "application/json"})
        assert problem(answer) == (422, "invalid-request")
        assert {error["pointer"].rstrip("0123456789") for error in answer.json()["errors"]} == {start}
        assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (1, "The request is not as it should be; see `errors`."),
        (50, "The request is not as it should be; see `errors`."),
        (51, "The request is not as it should be in more than 50 places; see `errors` for the first."),
    ],
)
def test_of_many_errors_the_first_are_told_and_that_there_are_more(
    api: Api, ada: Customer, wrong: int, told: str
) -> None:
    names = [f"n{number:02}" for number in range(wrong)]
    path = f"/v1/accounts/{ada.account_id}"
    for answer in (
        api("PATCH", path, json=dict.fromkeys(names, 1)),
        api("PATCH", path, content="{" + ",".join(f'"{name}":1,"{name}":1' for name in names) + "}"),
    ):
        assert problem(answer) == (422, "invalid-request")
        assert answer.json()["detail"] == told
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in names[:50]]


def test_how_many_lines_an_order_may_have_is_said_in_the_words_of_the_rule(api: Api, ada: Customer) -> None:
    lines = [purchase(product=f"p{number}") for number in range(1000)]
    assert problem(api.quote(ada, *lines)) == (422, "too-many-lines")
    assert problem(api.quote(ada, *lines, purchase())) == (422, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"{}"), '{"name": "Zoë"}'.encode("latin-1"), b"[" * 50_000],
    ids=["compressed", "latin-1", "too deep"],
)
def test_a_body_that_cannot_be_read_is_told_what_can(api: Api, ada: Customer, body: bytes) -> None:
    answer = api.post("/v1/quotes", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, "malformed-request")
    assert "JSON in UTF-8, without Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize("twice", ["", '"lines": [], '], ids=["", "given twice"])
def test_a_number_too_long_to_be_read_is_named_as_the_reason(api: Api, ada: Customer, twice: str) -> None:
    def quoted(seats: str) -> httpx.Response:
        content = f'{{{twice}"lines": [{{"seats": {seats}}}]}}'
        return api.post("/v1/quotes", content=content, headers={"Content-Type": "application/json"})

    assert problem(quoted("9" * 4300)) == (422, "invalid-request")
    answer = quoted("9" * 4301)
    assert problem(answer) == (400, "malformed-request")
    assert answer.json()["detail"] == "The body could not be read: a whole number in it has more than 4300 digits."


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/quotes"), ("PATCH", "/v1/accounts/{}")])
def test_whoever_sends_no_body_is_told_so(api: Api, ada: Customer, method: str, path: str) -> None:
    answer = api(method, path.format(ada.account_id), headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "invalid-request")
    detail = "is missing: the request has no body; send a JSON object"
    assert answer.json()["errors"] == [{"pointer": "", "detail": detail}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_json_in_another_encoding_is_malformed(api: Api, ada: Customer, encoding: str) -> None:
    content = '{"name": "Zoë"}'.encode(encoding)
    answer = api(
        "PATCH", f"/v1/accounts/{ada.account_id}", content=content, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (400, "malformed-request")


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "nonsense"])
def test_json_that_is_labelled_with_another_encoding_is_malformed(api: Api, ada: Customer, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", content='{"name": "Zoë"}'.encode(), headers=headers)
    assert problem(answer) == (400, "malformed-request")
    assert "JSON in UTF-8" in answer.json()["detail"]


def test_a_byte_order_mark_is_left_out(api: Api, ada: Customer) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api(
        "PATCH", f"/v1/accounts/{ada.account_id}", content='{"name": "Zoë"}'.encode("utf-8-sig"), headers=headers
    )
    assert (answer.status_code, answer.json()["name"]) == (200, "Zoë")


def test_a_body_is_taken_up_to_256_kibibytes(api: Api, ada: Customer) -> None:
    def send(size: int) -> Any:
        return api.post("/v1/quotes", content=b" " * size, headers={"Content-Type": "application/json"})

    assert problem(send(256 * 1024))[0] == 400
    assert problem(send(256 * 1024 + 1)) == (413, "body-too-large")


def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(
    api: Api, live: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "ALWAYS_GRANTED", 0.3)
    monkeypatch.setattr(body_limit, "SLOWEST", 1e9)
    host, _, port = live.removeprefix("http://").partition(":")
    head = f"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
    with socket.create_connection((host, int(port)), timeout=240) as line:
        line.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
        answer = line.makefile("rb").read(2000)
    assert b" 408 " in answer
    assert b"body-too-slow" in answer
    assert b"connection: close" in answer.lower()


def test_a_body_of_unknown_length_is_counted_while_it_streams(api: Api, ada: Customer) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 64 * 1024
            yield b" " * 64 * 1024

    answer = api.post("/v1/quotes", content=endless(), headers={"Content-Type": "application/json"})
    assert problem(answer) == (413, "body-too-large")
    assert answer.json()["detail"] == "The request is too large: at most 256 KiB."


def test_the_pieces_of_a_body_are_counted_together() -> None:
    pieces = [b" " * 1024] * 5

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    async def send(_: Message) -> None:
        raise AssertionError

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    limited = body_limit.BodyLimit(app, default=4 * 1024, by_ending={})
    with pytest.raises(HTTPException, match="413"):
        asyncio.run(limited({"type": "http", "path": "/", "headers": []}, receive, send))


def test_answers_carry_safe_headers(api: Api, ada: Customer) -> None:
    for path in ("/v1/orders", "/healthz", "/nowhere"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert len(headers["x-request-id"]) == 32


def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    api: Api, world: World, ada: Customer, redis_server: RedisServer
) -> None:
    state(api).rate_limit = RateLimit("3/minute", redis_server.url)
    assert [api.get("/v1/orders").status_code for _ in range(3)] == [200, 200, 200]
    answer = api.get("/v1/orders")
    assert problem(answer) == (429, "too-many-requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    api.use(ada)
    assert api.get("/v1/orders").status_code == 200  # another key counts by itself


def test_without_redis_nobody_is_turned_away(api: Api, ada: Customer, unused_tcp_port: int) -> None:
    state(api).rate_limit = RateLimit("1/minute", f"redis://127.0.0.1:{unused_tcp_port}/0")
    with capture_logs() as logs:
        assert [api.get("/v1/orders").status_code for _ in range(3)] == [200, 200, 200]
    assert [entry["event"] for entry in logs].count("rate limit cannot count") == 1


def test_logs_hold_no_bodies_addresses_or_keys(world: World, api: Api, ada: Customer) -> None:
    with capture_logs() as logs:
        api.quote(ada, purchase())
        api.post(f"/v1/accounts/{ada.account_id}/contacts", {"name": "Zed", "email": "zed@secret.example"})
        api.get("/v1/orders", params={"account_id": "zed@secret.example"})
        api.get("/zed@secret.example")
    written = json.dumps(logs, default=str)
    assert [word for word in (api.key, ada.email, "zed@secret", "Zed") if word in written] == []
    lines = [(entry["route"], entry["status"]) for entry in logs if entry["event"] == "request"]
    contacts = "/v1/accounts/{account_id}/contacts"
    assert lines == [("/v1/quotes", 201), (contacts, 201), ("/v1/orders", 422), ("none", 404)]


def test_a_signed_webhook_is_stored_once_and_a_forged_one_never(world: World, api: Api, ada: Customer) -> None:
    intent = {"id": "pi_1", "object": "payment_intent"}
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": intent}}
    payload, signature = signed(json.dumps(event))
    forged = {"Stripe-Signature": signature.replace("v1=", "v1=0")}
    path = "/v1/webhooks/stripe"
    assert problem(api.client.post(path, content=payload, headers=forged)) == (400, "webhook-refused")
    assert problem(api.client.post(path, content=payload)) == (422, "invalid-request")
    for _ in range(2):
        answer = api.client.post(path, content=payload, headers={"Stripe-Signature": signature})
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert [(row.id, row.charge_ref, row.payload) for row in world.rows(WebhookReceived)] == [
        ("evt_1", "pi_1", payload)
    ]


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"id": "evt_1", "type": "ping"}', "[" * 50_000])
def test_only_who_can_sign_learns_that_a_webhook_is_no_event(world: World, api: Api, body: str) -> None:
    payload, signature = signed(body)
    for header, code in ((signature, "webhook-malformed"), (signature.replace("v1=", "v1=0"), "webhook-refused")):
        answer = api.client.post("/v1/webhooks/stripe", content=payload, headers={"Stripe-Signature": header})
        assert problem(answer) == (400, code)
    assert world.rows(WebhookReceived) == []


def test_an_oversized_webhook_is_not_read(world: World, api: Api) -> None:
    payload, signature = signed(json.dumps({"id": "evt_2", "filler": "x" * 256 * 1024}))
    answer = api.client.post("/v1/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    assert problem(answer) == (413, "body-too-large")
    assert world.rows(WebhookReceived) == []


def signed(body: str) -> tuple[bytes, str]:
    """As Stripe signs: HMAC-SHA256 over time and body."""
    at = int(time.time())
    mac = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return body.encode(), f"t={at},v1={mac}"
