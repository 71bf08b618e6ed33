"""The OpenAPI document, and what the API answers held against what it says."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator

from api_stub.app import create_app
from api_stub.parts import Parts
from api_stub.problems.details import BASE, MEDIA_TYPE
from api_stub.problems.members import OF_PROBLEM, OF_REASON, Members

BEFORE_ANY_OPERATION = {400, 405, 408, 413, 415, 431}
"""answered where a body that no operation asked for, or the request as such, is at fault: told once, for the whole document"""


def _never() -> Parts:
    raise AssertionError("only its description is asked for")


DOCUMENT = create_app(_never).openapi()


def operations() -> list[tuple[str, dict[str, Any]]]:
    """Method and address of each, and what is said of it."""
    return [
        (f"{method.upper()} {path}", told) for path, each in DOCUMENT["paths"].items() for method, told in each.items()
    ]


def fits(value: object, schema: dict[str, Any]) -> bool:
    return _validator(schema).is_valid(value)


def shown_in(media: dict[str, Any]) -> Any:
    """The example of a body: its own, its schema's, or one made of its members'; None where a required member has none."""
    return media.get("example") or _example(media.get("schema", {}))


def _example(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if examples := schema.get("examples") or schema.get("enum"):
        return examples[0]
    if "items" in schema:
        return [_example(schema["items"])]
    members = {name: _example(member) for name, member in schema.get("properties", {}).items()}
    if not members or any(members[name] is None for name in schema.get("required", [])):
        return None
    return {name: example for name, example in members.items() if example is not None}


def require_documented(answer: httpx.Response) -> None:
    """Fails where status, type of problem, body or headers are not what the document says of the operation."""
    asked = f"{answer.request.method} {answer.request.url.path}"
    described = next(
        (told for name, told in operations() if re.fullmatch(re.sub(r"{\w+}", "[^/]+", name), asked)), None
    )
    if described is None:
        return
    told = described["responses"].get(str(answer.status_code))
    if told is None:
        assert answer.status_code in BEFORE_ANY_OPERATION, f"{asked}: {answer.status_code}"
        return
    missing = [name for name in told.get("headers", {}) if name not in answer.headers]
    assert missing == [], f"{asked}: {answer.status_code} without {missing}"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert kind in told.get("content", {"": {}}), f"{asked}: {answer.status_code}: {kind}"
    if kind.endswith("json"):
        _validator(told["content"][kind]["schema"]).validate(answer.json())
    if kind == MEDIA_TYPE:
        require_members(answer.json())


def require_members(problem: dict[str, Any]) -> None:
    """Fails where a problem lacks a member that its type has, or has one that is not told of; likewise the reasons of a refused cart."""
    _require_members(problem, OF_PROBLEM, usual={"type", "title", "status", "detail"})
    for reason in problem.get("refusals", ()):
        _require_members(reason, OF_REASON, usual={"type", "pointer", "detail"})


def _require_members(told: dict[str, Any], table: Mapping[str, Members], *, usual: set[str]) -> None:
    always, sometimes = table.get(told["type"].removeprefix(BASE), Members())
    has = told.keys() - usual
    assert set(always) <= has <= {*always, *sometimes}, f"{told['type']} has {sorted(has)}"


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})
