"""Every `type` that a problem may have: its status, and what it means, for the OpenAPI document. None ever changes."""

from http import HTTPStatus
from typing import Any

from api_stub.problems.details import BASE, MEDIA_TYPE
from api_stub.problems.members import in_words
from api_stub.problems.refusal_codes import REASONS

_BAD, _FORBIDDEN, _ABSENT, _CONFLICT, _INVALID = 400, 403, 404, 409, 422

TYPES: dict[str, tuple[int, str]] = {
    "malformed-request": (_BAD, "The request or its body cannot be read: not HTTP, not JSON in UTF-8, or compressed."),
    "webhook-refused": (_BAD, "The signature is not valid, is too old, or is dated in the future."),
    "webhook-malformed": (_BAD, "The signature is valid, but the body is not an event."),
    "unauthorized": (401, "The API key is missing, unknown or revoked."),
    "missing-scope": (_FORBIDDEN, "The API key lacks the scope `scope`."),
    "not-found": (_ABSENT, "There is no such thing, or it belongs to an account that the API key is not bound to."),
    "unknown-quote": (_ABSENT, "The account has no such quote; ask for a new one."),
    "method-not-allowed": (405, "The address does not support the method; `Allow` lists those it does."),
    "body-too-slow": (408, "The body took too long to arrive; send it again."),
    "quote-expired": (_CONFLICT, "The quote is too old; ask for a new one."),
    "quote-used": (_CONFLICT, "An order was already placed on the quote; `order_id`, if present, names it."),
    "quote-differs": (_CONFLICT, "The quote is for another cart; confirm one for the order's own products."),
    "open-order": (
        _CONFLICT,
        "Orders for some of `products` have not ended: `order_ids`; wait for them, or cancel them.",
    ),
    "idempotency-key-reused": (
        _CONFLICT,
        "The key belongs to another request, of the order `order_id`; use a new one.",
    ),
    "not-waiting": (_CONFLICT, "The order is not waiting for that; `order_status` says where it stands."),
    "too-late": (_CONFLICT, "The order cannot be cancelled any more: it is active, has ended, or is being undone."),
    "email-taken": (_CONFLICT, "The account has a contact with this email address already: `contact_id`."),
    "last-billing-contact": (
        _CONFLICT,
        "Somebody must be able to order; make another contact a billing contact first.",
    ),
    "not-active": (_CONFLICT, "Seats of a subscription that is not active cannot be assigned."),
    "no-seat-left": (_CONFLICT, "More users than seats; of a file, `lines` names those that are too many."),
    "too-many-declines": (
        _CONFLICT,
        "Ten charges of the account were declined within 24 hours: it is given no payment method until `retry_at`, and nothing is charged.",
    ),
    "payment-method-in-use": (
        _CONFLICT,
        "Orders may yet charge the payment method: `order_ids`; wait for them, or cancel them.",
    ),
    "body-too-large": (413, "At most 32 KiB; a CSV of seats may have 1 MiB, a webhook 256 KiB."),
    "not-json": (415, "The body is labelled as something else; send it as application/json."),
    "not-csv": (415, "Send the file as text/csv."),
    "invalid-request": (_INVALID, "A field, parameter or header is not as described; `errors` names each."),
    "payment-method-refused": (
        _INVALID,
        "The payment method is no card, or the provider does not accept it: `decline_code`.",
    ),
    "seat-file-refused": (_INVALID, "The file has mistakes; `lines` names them, and nothing was changed."),
    "email-twice": (_INVALID, "The file names a user more than once: `lines`; nothing was changed."),
    "too-many-requests": (429, "Wait for as long as `Retry-After` says."),
    "too-many-streams": (429, "The key has 50 event streams open already; end one first."),
    "head-too-large": (431, "Request line and headers together have at most 32 KiB."),
    "internal-error": (500, "Something is wrong on our side. The request may be sent again: see its operation."),
    "temporarily-unavailable": (503, "Something we depend on does not answer; try again after `Retry-After`."),
    **{code: (_INVALID, reason.meaning) for code, reason in REASONS.items()},
}

CODES = "x-codes"
"""where `refuses` keeps a route's own types until the document is made"""

_SECONDS = {"description": "seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}}
_HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string", "enum": ["Bearer"]}}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": _SECONDS},
}


def refuses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """A route's own problem types, for its `responses`; those that its shape tells of are added by `api_stub.openapi`."""
    of_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status, _ = TYPES[code]
        of_status.setdefault(status, {"description": HTTPStatus(status).phrase, CODES: []})[CODES].append(code)
    return of_status


def described(status: int, codes: list[str]) -> dict[str, Any]:
    """The answer with this status: a problem with one of these types."""
    types = {"type": "object", "properties": {"type": {"enum": [BASE + code for code in codes]}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/ProblemDetails"}, types]}
    lines = [HTTPStatus(status).phrase, *(f"- `{code}`: {TYPES[code][1]}{in_words(code)}" for code in codes)]
    answer: dict[str, Any] = {"description": "\n".join(lines), "content": {MEDIA_TYPE: {"schema": schema}}}
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
