"""Bodies of requests: JSON in UTF-8, of a limited size, and not waited for forever."""

import asyncio
import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api_stub.edge import body_limit
from models.rules.cart import MAX_LINES
from tests.api.conftest import Api, problem
from tests.support.world import Customer


def test_a_body_that_is_no_json_is_malformed(api: Api, ada: Customer) -> None:
    for content in (b"{", b"", b"\xff", b"[" * 30_000, b'{"a": 1e999999}', b"null"):
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


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"{}"), '{"name": "Zoë"}'.encode("latin-1"), b"[" * 30_000],
    ids=["compressed", "latin-1", "too deep"],
)
def test_a_body_that_cannot_be_read_is_told_what_can(api: Api, ada: Customer, body: bytes) -> None:
    answer = api.post("/v1/quotes", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer) == (400, "malformed-request")
    assert "JSON in UTF-8, without Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "identity, br", "nonsense"])
def test_a_body_that_is_labelled_as_compressed_is_refused_though_it_is_not(
    api: Api, ada: Customer, encoding: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", content=b'{"language": "fr"}', headers=headers)
    assert problem(answer) == (400, "malformed-request")
    assert "without Content-Encoding" in answer.json()["detail"]
    plain = headers | {"Content-Encoding": "Identity"}
    assert api("PATCH", f"/v1/accounts/{ada.account_id}", content=b'{"language": "fr"}', headers=plain).is_success


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


@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/orders"])
def test_a_body_is_taken_up_to_32_kibibytes(api: Api, ada: Customer, path: str) -> None:
    def send(size: int) -> Any:
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        return api.post(path, content=b" " * size, headers=headers)

    assert problem(send(32 * 1024))[0] == 400
    assert problem(send(32 * 1024 + 1)) == (413, "body-too-large")


def test_a_quote_of_as_many_lines_as_there_may_be_is_read_however_long_their_codes_and_however_it_is_indented(
    api: Api, ada: Customer
) -> None:
    line = {"action": "purchase", "product": "p" * 60, "tier": "t" * 60, "seats": 2**31 - 1, "interval": "month"}
    body = {"account_id": str(ada.account_id), "contact_id": str(ada.contact_id), "lines": [line] * MAX_LINES}
    answer = api.post("/v1/quotes", content=json.dumps(body, indent=8), headers={"Content-Type": "application/json"})
    assert problem(answer) == (422, "unknown-product")


def test_as_many_changes_of_an_account_as_there_may_be_are_read_however_they_are_written(
    api: Api, ada: Customer
) -> None:
    body = {"name": "𝓐" * 200, "address": "𝓐" * 500}
    headers = {"Content-Type": "application/json"}
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", content=json.dumps(body), headers=headers)
    assert (answer.status_code, len(json.dumps(body)) > 8 * 1024) == (200, True)


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
    assert answer.json()["detail"] == "The request is too large: at most 32 KiB."


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
