"""What is wrong with a request's shape, said with JSON pointers and without repeating what was sent."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from api_stub.problems.details import Problem
from api_stub.schemas.values import IN_WORDS
from api_stub.threads import in_thread

MOST = 50
"""reported at once; a body can have thousands"""
LONGEST = 100
"""characters of a name in a pointer; what is beyond is left out, or a short request would have a long answer"""
DEEPEST = 10
"""names in a pointer, likewise"""

_MISSING = {
    "Idempotency-Key": "is missing: send a value of your own for each order, such as a UUID, and the same one when you repeat the request, "
    "so that it places one order"
}
"""what a header is needed for"""

_NO_BODY = "is missing: the request has no body; send a JSON object"

WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is no field here",
    "model_attributes_type": "must be a JSON object",
    "list_type": "must be a JSON array",
    "too_long": "must have at most {max_length} members",
    "string_type": "must be text",
    "string_unicode": "must be text in Unicode, without half a surrogate pair",
    "string_too_long": "must have at most {max_length} characters",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "has too many digits",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "enum": "must be {expected}",
}
"""by pydantic's type of error"""
UNTOLD = "is not as this API describes it"
"""of a type that nobody thought of: pydantic's own words are meant for programmers"""


async def invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Reported only to callers with a valid key: where the endpoint itself would have looked the key up, this does."""
    if not isinstance(error, RequestValidationError):
        raise error
    if (presented := getattr(request.state, "presented_key", None)) is not None:
        await in_thread(presented.caller)
    found = await in_thread(error.errors)  # some are searched for only now
    if found and found[0]["type"] == "json_invalid":
        return Problem(400, "malformed-request", "The body is not JSON.").response()
    if isinstance(error.body, bytes):  # not parsed: not labelled as JSON
        return Problem(415, "not-json", "Send the body as application/json.").response()
    errors = [field for field, _ in groupby(map(_field, found[:MOST]))]  # two readers of a header report the same
    many = f" in more than {MOST} places; see `errors` for the first." if len(found) > MOST else "; see `errors`."
    return Problem(422, "invalid-request", "The request is not as it should be" + many, errors=errors).response()


def pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901): ("lines", 0, "seats") is /lines/0/seats. Half a surrogate pair, which no answer can hold, is escaped."""
    parts = [_shortened(str(part)) for part in location[:DEEPEST]] + ["…"] * (len(location) > DEEPEST)
    path = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    return path.encode(errors="backslashreplace").decode()


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _field(error: dict[str, Any]) -> dict[str, str]:
    place, *rest = error["loc"] or ("body",)
    detail = _in_words(error)
    match place:
        case "header":
            detail = _MISSING.get(str(rest[0]), detail) if rest and error["type"] == "missing" else detail
            return {"header": str(rest[0]) if rest else "", "detail": detail}
        case "query" | "path":
            return {"parameter": _shortened(str(rest[0])) if rest else "", "detail": detail}
    return {"pointer": pointer(rest), "detail": detail if rest or error["type"] != "missing" else _NO_BODY}


def _in_words(error: dict[str, Any]) -> str:
    facts = error.get("ctx", {})
    match error["type"]:
        case "given_twice" | "query" | "no_body":
            return str(error["msg"])
        case "value_error" if "reason" in facts:
            return f"is no email address: {facts['reason']}"
        case "value_error":
            return str(facts["error"])
        case "string_pattern_mismatch":
            return IN_WORDS.get(facts["pattern"], UNTOLD)
        case kind if kind != "missing" and error["input"] is None:
            return "must not be null"
        case "string_too_short" if facts["min_length"] == 1:
            return "must not be empty"
        case kind:
            return WORDS.get(kind, UNTOLD).format(**facts)
