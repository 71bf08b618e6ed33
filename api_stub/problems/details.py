"""Errors as problem details (RFC 9457): a stable `type`, a `detail` a customer can read, pointers to the fields it is about."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

BASE = "https://prorata.example/problems/"
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is an error. `code` is the last part of its type and never changes; `members` are its own fields."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> JSONResponse:
        body = {
            "type": BASE + self.code,
            "title": self.code.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(body, self.status, self.headers, MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """The same whether it does not exist or belongs to somebody else."""
    return Problem(404, "not-found", f"There is no such {what}.")


def unavailable(*, retry_after: float | None = None) -> Problem:
    """retry_after: seconds until it may work again, if known; the answer says 5 at least, and an hour at most."""
    seconds = max(5, ceil(min(3600, retry_after or 0)))
    if seconds == 5:
        wait = "a few seconds"
    else:
        wait = f"{seconds} seconds" if seconds <= 120 else f"{ceil(seconds / 60)} minutes"
    return Problem(
        503,
        "temporarily-unavailable",
        f"Something we depend on does not answer right now. Nothing was lost; please try again in {wait}.",
        headers={"Retry-After": str(seconds)},
    )


def internal() -> Problem:
    return Problem(
        500, "internal-error", "Something went wrong on our side. We have been told; please try again later."
    )


class FieldProblem(BaseModel):
    """One thing wrong with a request: `pointer` (RFC 6901) names the field of the body; else `parameter` or `header` does."""

    pointer: str | None = Field(default=None, examples=["/lines/0/seats"])
    parameter: str | None = None
    header: str | None = None
    detail: str


class RefusalProblem(BaseModel):
    """One reason why a cart cannot be ordered. Some types have members of their own; each member says whose it is."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[BASE + "lower-tier"])
    pointer: str = Field(examples=["/lines/0/tier"])
    detail: str


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457). `type` is stable; some types have members of their own, and each member says whose it is."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[BASE + "quote-expired"])
    title: str
    status: int
    detail: str = Field(description="What happened and what to do, for people")
    errors: list[FieldProblem] | None = Field(
        default=None,
        description="what is wrong, field by field. Of `invalid-request`, of `payment-method-refused`, and of what is refused before it is a cart's "
        "order: a stored cart, an account's VAT number",
    )
    refusals: list[RefusalProblem] | None = Field(
        default=None,
        description="the reasons against the cart: against every line that cannot be ordered, for most rules the first only (of an account: against its VAT number); the problem's `type` and `detail` are the first one's",
    )


_CODES = {
    400: "malformed-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "body-too-slow",
    413: "body-too-large",
    503: "temporarily-unavailable",
}
_DETAILS = {
    400: "The body could not be read: send JSON in UTF-8, without Content-Encoding, and not nested thousands deep.",
    404: "There is nothing at this address.",
    405: "This address does not support that method.",
    408: "The request took too long to arrive; send it again.",
    503: "The server is stopping and did not receive the whole request; send it again.",
}

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class UnreadableBody(HTTPException):
    """Why a body cannot be read, where that is known: the framework only says that one cannot be."""

    def __init__(self, why: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, f"The body could not be read: {why}.")


async def http_problem(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses."""
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    code = _CODES.get(status, phrase.lower().replace(" ", "-"))
    headers = _allow(request) if status == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    usual = None if isinstance(error, UnreadableBody) else _DETAILS.get(status)
    detail = usual or (error.detail if error.detail != phrase else phrase + ".")
    return Problem(status, code, detail, headers=headers).response()


def _allow(request: Request) -> dict[str, str]:
    """Every method of the address: the framework names only those of the first route there."""
    known = [method for method in _METHODS if _is_known(request, method)]
    return {"Allow": ", ".join(known)}


def _is_known(request: Request, method: str) -> bool:
    asked = {"type": "http", "method": method, "path": request.scope["path"]}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
