"""The contract as OpenAPI: what FastAPI makes of the routes, with our problem details in place of its own errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api_stub.problems import members
from api_stub.problems.details import ProblemDetails
from api_stub.problems.problem_types import CODES, TYPES, described

DESCRIPTION = """\
Orders for per-seat SaaS subscriptions: ask for a binding quote, place an order on it, follow it until it is completed.

1. `POST /v1/quotes` for a cart; show the amounts, and the sentences of its `explanation`. A quote is binding for 30 minutes unless the merchant has set another time: `expires_at` tells.
2. `POST /v1/orders` with the quote's id and an `Idempotency-Key`. Where the answer is lost, or is 429 or 5xx, repeat it with the same key.
3. Follow the order: `GET` its `links.self` every few seconds, or its `links.events`, until `final` is true.
4. Where its `next` is not null, the customer must do that first; it names the request that then lets the order go on, and `waits_until` says how long there is time.

Nobody calls you when an order ends, and an order can end days after it was placed: a customer pays later, or lets it lapse. So keep the ids of orders that are not final, and follow the events of each or, every few
minutes, ask for them again (one by one, or all by `GET /v1/orders?final=false`: one that you know and that is missing there has become final).

A completed order may be refunded later. `GET /v1/orders?status=refunded&status=needs_attention` lists those, beside others that needed us: ask once a day, and compare with what you know.

What customers pay by transfer is never charged by itself, and nobody reminds them: orders on invoice, and VAT of a completed order whose VAT number turned out invalid days later (`vat.outcome`). An order says what is `owed`, and `GET /v1/accounts/{{account_id}}/invoices?owed=true` lists it for an account:
show it to the customer.

A customer who cannot pass 3-D Secure and wants to pay with another card cannot change it in the order (`not-waiting`): cancel the order, and once it is `final` ask for another quote and place an order on that; or wait until
`waits_until`, when it is cancelled.

Before there is a cart: `GET /v1/catalogue` has products, tiers and prices, `GET /v1/accounts` the accounts that your key may act for.

Show your customers what is in their account's language (of an order: the one that it had when the order was placed): `text` of amounts; an order's `status_text`, `reason.text` and `next.text`; explanations and invoices; `detail` of a refused cart,
VAT number or payment method (of too many declined ones, too), also that of each reason (but what `errors` says of a payment method with the `decline_code` `resource_missing` is for you). Everything else is in English and for you: every other `detail`, and the texts of a timeline. `Accept-Language` is ignored: to change the language, PATCH the account.

Nothing renews by itself: when a subscription's period ends, nothing is charged until the next order, and the subscription stays `active`.

Amounts are minor units (cents) with the text a customer reads; times are RFC 3339 in UTC. What was agreed (periods, `as_of`, `expires_at`, `due_at`,
`assigned_at` of seats) is in whole seconds, and when something happened is told to the microsecond: compare times as times, not as text. A key sees only the accounts it is
bound to; anything else is 404. Lists come page by page: what an answer says as `next_before` or `next_after` is the `before` or
`after` of the next page. Each operation says which scope its key must have; another key is refused with 403 (`missing-scope`).
Fields, query parameters and bodies that are not described here are refused, and so is what is given twice (but for a parameter that is a list):
a misspelled name is noticed, and nothing is read half. Only the body of a `GET` or `HEAD`, which has no meaning in HTTP, is ignored (if it is no larger than bodies may be). Bodies are sent uncompressed (a `Content-Encoding` other than `identity` is refused), and so are answers. `HEAD` is answered
wherever `GET` is, but for a stream of events.

Answers may get more fields, and lists of words (statuses, an order's `next.action`, kinds of entries) more words: ignore fields that you do not know, and treat an order whose `status` you do not know by its `final` and `next` (lists have `final` only: `GET` the order for `next`). What there is
keeps its meaning.

Each answer has an `X-Request-ID`, by which our logs know it. Errors are problem details (RFC 9457). Their `type` never changes; each operation lists those that it may answer with. A type may
be added: treat one that you do not know by its status. Before any operation is reached, a request may be refused with:

{before}
"""
_BEFORE = ("malformed-request", "not-found", "method-not-allowed", "body-too-slow", "body-too-large", "head-too-large")


def install(app: FastAPI) -> None:
    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _made(app: FastAPI) -> dict[str, Any]:
    before = "\n".join(f"- {TYPES[code][0]} `{code}`: {TYPES[code][1]}" for code in _BEFORE)
    description = DESCRIPTION.format(before=before)
    made = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas |= _problems() | {"Readiness": _never_null(schemas["Readiness"])}
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _tell_scope(operation)
            _tell_problems(operation, path)
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _or_left_out(parameter["schema"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return made


def _problems() -> dict[str, Any]:
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    made = {name: _never_null(schema) for name, schema in problem.pop("$defs").items()}
    made["ProblemDetails"] = _never_null(problem)
    made["ProblemDetails"]["properties"] |= members.properties(members.FORMS, members.OF_PROBLEM)
    made["RefusalProblem"]["properties"] |= members.properties(members.FORMS_OF_REASON, members.OF_REASON)
    return made


def _tell_scope(operation: dict[str, Any]) -> None:
    """In words too: few readers look under `security`."""
    scopes = [scope for needed in operation.get("security", []) for names in needed.values() for scope in names]
    if scopes:
        needs = f"Needs a key with the scope `{'`, `'.join(scopes)}`."
        operation["description"] = "\n\n".join(filter(None, [operation.get("description"), needs]))


def _tell_problems(operation: dict[str, Any], path: str) -> None:
    """Replaces the errors that FastAPI would tell of by the types of problems that each status may have."""
    answers = operation["responses"]
    codes = [*_by_its_shape(operation, path), *(code for each in answers.values() for code in each.pop(CODES, ()))]
    if "422" in answers:  # FastAPI's own
        codes.append("invalid-request")
    of_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        of_status.setdefault(TYPES[code][0], []).append(str(code))
    problems = {str(status): described(status, of_status[status]) for status in sorted(of_status)}
    operation["responses"] = {
        status: answers[status] for status in sorted(answers) if status not in problems
    } | problems


def _by_its_shape(operation: dict[str, Any], path: str) -> list[str]:
    codes: list[str] = []
    if operation.get("security"):
        codes += ["unauthorized", "missing-scope", "invalid-request", "too-many-requests"]
        codes += ["internal-error", "temporarily-unavailable"]
    if "{" in path:
        codes.append("not-found")
    if body := operation.get("requestBody"):
        codes += ["malformed-request", "body-too-slow", "body-too-large"]
        codes += ["not-json"] if operation.get("security") and "application/json" in body["content"] else []
    return codes


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose optional members are left out rather than null."""
    shown = {name: _or_left_out(member) for name, member in schema["properties"].items()}
    return schema | {"properties": shown}


def _or_left_out(schema: dict[str, Any]) -> dict[str, Any]:
    """In Python None says that it was left out; on the wire there is no null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    kept = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**kinds[0], **kept}
