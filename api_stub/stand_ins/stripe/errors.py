"""Errors in the shape Stripe documents: `{"error": {"type", "code", "decline_code", "message", "param", ...}}`."""

from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire; also what is kept under an idempotency key."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)


class ApiError(Exception):
    """A request that Stripe refuses.

    executed: whether the endpoint had begun to work; only then the answer is kept under the idempotency key.
    """

    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        *,
        executed: bool = True,
        headers: dict[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.executed = executed
        self.answer = Answer(status, error_body(type_, message, **details), headers or {})


def error_body(type_: str, message: str, **details: Any) -> JsonObject:
    error: JsonObject = {"type": type_, "message": message}
    error.update({name: value for name, value in details.items() if value is not None})
    if code := error.get("code"):
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    return {"error": error}


def invalid(message: str, *, code: str | None = None, param: str | None = None, **details: Any) -> ApiError:
    """A request that was understood, began, and cannot be done."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param, **details)


def malformed(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """A request that is refused before the endpoint begins; nothing is kept under its key."""
    return ApiError(400, "invalid_request_error", message, executed=False, code=code, param=param)


def missing(kind: str, identifier: str, *, param: str, in_path: bool = False) -> ApiError:
    message = f"No such {kind}: '{identifier}'"
    status = 404 if in_path else 400
    return ApiError(status, "invalid_request_error", message, code="resource_missing", param=param)
