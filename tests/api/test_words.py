"""What is wrong with a request is said in words of ours: every value that any request may have is sent wrong, in every way we know."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api_stub.edge.validation import UNTOLD, WORDS
from api_stub.schemas.values import IN_WORDS
from tests.api.conftest import Api
from tests.support.contract import DOCUMENT, operations, shown_in

Place = tuple[str | int, ...]

WRONG = [
    None, True, 7, -(10**30), 10**30, 0.5, "", " ", "gr", "é", "x\ny", "\0", "\ud800", "a@b", "x" * 9_999,
    [], [None], ["x"] * 1_001, {}, {"x": 1},
]  # fmt: skip
WRONG_IN_AN_ADDRESS = ["", "-1", "x", "0.5", "9" * 19, "9" * 5_000]
WRONG_IN_A_HEADER = ["", "-1", "x", "é", "9" * 30, "9" * 5_000]
OURS = re.compile(r"(must|is|has|give|appears) ")


def test_nothing_is_said_in_the_words_of_a_library_and_all_that_we_have_to_say_is_said(api: Api) -> None:
    api.use()  # a key for no account: what is right after all has no effect
    told = {
        error["detail"]: request
        for address, operation in operations()
        for request, answer in asked_wrong(api, address, operation)
        if answer.status_code == 422
        for error in answer.json().get("errors", ())
    }
    assert {detail: request for detail, request in told.items() if detail == UNTOLD or not OURS.match(detail)} == {}
    sentences = [*WORDS.values(), *IN_WORDS.values(), "must not be null", "must not be empty"]
    assert [each for each in sentences if not any(map(_pattern(each).fullmatch, told))] == []


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (None, {"": "must not be null"}),
        ([], {"": "must be a JSON object"}),
        (
            {"account_id": None, "contact_id": 7, "lines": [{"action": "buy", "product": "", "seats": "3", "seat": 3}]},
            {
                "/account_id": "must not be null",
                "/contact_id": "must be a UUID",
                "/lines/0/action": "must be 'purchase', 'trial' or 'change'",
                "/lines/0/product": "must not be empty",
                "/lines/0/seats": "must be a whole number",
                "/lines/0/seat": "is no field here",
            },
        ),
    ],
)
def test_each_thing_is_said_as_plainly_as_can_be(api: Api, body: object, errors: dict[str, str]) -> None:
    api.use()
    answer = api.post("/v1/quotes", content=json.dumps(body))
    assert {error["pointer"]: error["detail"] for error in answer.json()["errors"]} == errors


def asked_wrong(api: Api, address: str, operation: dict[str, Any]) -> Iterator[tuple[str, httpx.Response]]:
    """A description of each request, with its answer."""
    method, path = address.split(" ")
    right = re.sub(r"{\w+}", str(uuid4()), path)
    for parameter in operation.get("parameters", ()):
        match parameter["in"], parameter["name"]:
            case "path", _:
                yield f"{method} {path}", api(method, re.sub(r"{\w+}", "x", path))
            case "query", name:
                for value in WRONG_IN_AN_ADDRESS:
                    yield f"{method} {path}?{name}={value[:9]}", api(method, right, params={name: value})
            case "header", name:
                yield f"{method} {path} without {name}", api(method, right)
                for value in WRONG_IN_A_HEADER:
                    headers = {name: value.encode()}
                    yield f"{method} {path} {name}: {value[:9]}", api(method, right, headers=headers)
    if media := operation.get("requestBody", {}).get("content", {}).get("application/json"):
        for body in wrong_bodies(shown_in(media), media["schema"]):
            text = json.dumps(body)
            yield f"{method} {path} {text[:999]}", api(method, right, content=text)


def wrong_bodies(body: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """What is right but for one value."""
    for place in places(schema):
        for value in WRONG:
            yield changed(body, place, value)


def places(schema: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield place
    for name, member in schema.get("properties", {}).items():
        yield from places(member, (*place, name))
    if "items" in schema:
        yield from places(schema["items"], (*place, 0))


def changed(body: Any, place: Place, value: object) -> Any:
    if not place:
        return value
    made = inside = deepcopy(body)
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    return made


def _pattern(sentence: str) -> re.Pattern[str]:
    """Whatever the facts in it."""
    return re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(sentence)))
