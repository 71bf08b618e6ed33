"""The members that problems have beside the usual ones, by their type, and the form of each: for the OpenAPI document, to which the tests hold
every answer."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from api_stub.problems.refusal_codes import REASONS
from models.rules.period import Interval
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.upstream.api_keys import Scope

Schema = dict[str, Any]


class Members(NamedTuple):
    always: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()


OF_PROBLEM: Final[Mapping[str, Members]] = {
    "missing-scope": Members(("scope",)),
    "quote-expired": Members(("expired_at",)),
    "quote-used": Members(sometimes=("order_id",)),
    "not-waiting": Members(("order_status",)),
    "too-late": Members(("order_status",)),
    "too-many-declines": Members(("retry_at",)),
    "email-taken": Members(sometimes=("contact_id",)),
    "open-order": Members(("products", "order_ids")),
    "payment-method-in-use": Members(("order_ids",)),
    "idempotency-key-reused": Members(("order_id",)),
    "no-seat-left": Members(("seats", "limit", "assigned"), ("lines",)),
    "invalid-request": Members(("errors",)),
    "payment-method-refused": Members(("decline_code", "errors")),
    "seat-file-refused": Members(("lines",)),
    "email-twice": Members(("lines",)),
    **dict.fromkeys(RefusalCode, Members(("refusals",), ("errors",))),
}
"""by type; one that is not here has none"""

OF_REASON: Final[Mapping[str, Members]] = {code: Members(each.has, each.may_have) for code, each in REASONS.items()}
"""of the reason in `refusals`, beside its type, pointer and detail"""

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_LIST: Final[Schema] = {"type": "array", "items": {"type": "string"}}

FORMS: Final[Mapping[str, Schema]] = {
    "scope": {"type": "string", "enum": list(Scope), "description": "the one that is needed"},
    "expired_at": {"type": "string", "format": "date-time"},
    "retry_at": {"type": "string", "format": "date-time", "description": "when another payment method can be given"},
    "order_id": {"type": "string", "format": "uuid", "description": "the order that was placed before"},
    "order_status": {"type": "string", "enum": list(OrderStatus), "description": "the order's `status` now"},
    "contact_id": {
        "type": "string",
        "format": "uuid",
        "description": "the account's contact with this address; left out where it was erased a moment ago",
    },
    "products": _LIST | {"description": "codes of those that the other order is for", "examples": [["board"]]},
    "order_ids": {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "description": "the orders that have not ended, the oldest first; none where they ended a moment ago",
    },
    "seats": _COUNT | {"description": "of the subscription", "examples": [10]},
    "limit": _COUNT | {"description": "how many may be assigned, as in the list of seats", "examples": [10]},
    "assigned": _COUNT | {"description": "how many are", "examples": [10]},
    "decline_code": _TEXT
    | {
        "description": "the payment provider's. `resource_missing`: there is no such PaymentMethod, a mistake of the integration; `errors` says in English what to check",
        "examples": ["insufficient_funds"],
    },
    "lines": {
        "type": "array",
        "description": "of the file; the first hundred that are at fault",
        "items": {
            "type": "object",
            "properties": {
                "line": {"type": "integer", "minimum": 1, "description": "the header is line 1"},
                "detail": _TEXT,
            },
            "required": ["line", "detail"],
        },
        "examples": [[{"line": 3, "detail": "not a valid email address"}]],
    },
}
"""by the member's name, of a problem"""

FORMS_OF_REASON: Final[Mapping[str, Schema]] = {
    "billing_contacts": _LIST
    | {"description": "who may order, at most ten", "examples": [["Mia Muster <mia@customer.example>"]]},
    "portal_url": {"type": "string", "format": "uri", "description": "where the account orders"},
    "most": _COUNT | {"description": "how many there may be", "examples": [50]},
    "product": _TEXT | {"description": "its code", "examples": ["board"]},
    "tier": {"type": ["string", "null"], "description": "as it was asked for; null: it was left out"},
    "tiers": _LIST | {"description": "codes of those for sale, the lowest first", "examples": [["team", "business"]]},
    "interval": {
        "type": "string",
        "enum": list(Interval),
        "description": "for which the tier has no price, as sent or as the subscription has it; left out where it has none at all",
    },
    "intervals": {
        "type": "array",
        "items": {"type": "string", "enum": list(Interval)},
        "description": "for which the tier is for sale; none: choose another tier",
        "examples": [["year"]],
    },
    "seats": {
        "type": ["integer", "null"],
        "format": "int64",
        "description": "as they were asked for; null: they were left out",
    },
    "from_tier": _TEXT | {"description": "code of the tier that the account has", "examples": ["business"]},
    "to_tier": _TEXT | {"description": "code of the tier that was asked for", "examples": ["team"]},
    "support_case": _TEXT | {"description": "its number, for the customer to name", "examples": ["17"]},
    "must_unassign": _COUNT | {"description": "how many users must lose their seats first", "examples": [2]},
    "most_recent": _LIST
    | {"description": "the users assigned last, of these at most ten", "examples": [["mia@customer.example"]]},
    "remains_paid_minor": _COUNT
    | {
        "description": "what of the running period remains paid, with tax, in minor units of the account's currency; once no more than that is left of the period, a change is possible. 0: none is",
        "examples": [5950],
    },
    "country": {
        "type": "string",
        "pattern": "^[A-Z]{2}$",
        "description": "the account's, ISO 3166-1",
        "examples": ["DE"],
    },
}
"""by the member's name, of a reason in `refusals`"""


def properties(forms: Mapping[str, Schema], members: Mapping[str, Members]) -> dict[str, Any]:
    """For a schema: the form of each member, and which types have it."""
    return {name: {**form, "description": _told(name, form, members)} for name, form in forms.items()}


def in_words(code: str) -> str:
    """What problems of this type have, as a sentence; empty where they have nothing."""
    if code in OF_REASON:
        return _sentence("Its reason in `refusals` has", OF_REASON[code])
    return _sentence("Has", OF_PROBLEM.get(code, Members()))


def _told(name: str, form: Schema, members: Mapping[str, Members]) -> str:
    always = [f"`{code}`" for code, each in members.items() if name in each.always]
    sometimes = [f"`{code}` (not always)" for code, each in members.items() if name in each.sometimes]
    meaning = f"{form['description']}. " if "description" in form else ""
    return f"{meaning}Of {', '.join(always + sometimes)}"


def _sentence(start: str, members: Members) -> str:
    named = [*_quoted(members.always), *(f"{name} (not always)" for name in _quoted(members.sometimes))]
    return f" {start} {', '.join(named)}." if named else ""


def _quoted(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]
