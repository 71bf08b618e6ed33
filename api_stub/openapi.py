"""The contract as OpenAPI: what FastAPI makes of the routes, with our problem details in place of its own errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api_stub.problems import ProblemDetails, documented

ANSWERS = documented(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503)
"""Errors that any route with an API key may answer with."""

DESCRIPTION = """\
Orders for per-seat SaaS subscriptions: ask for a binding quote, place an order on it, follow it until it is completed.

Amounts are minor units (cents) with the text a customer reads; times are RFC 3339 in UTC. Errors are problem details
(RFC 9457) whose `type` never changes. A key sees only the accounts it is bound to; anything else is 404. Lists come page
by page: what an answer says as `next_before` or `next_after` is the `before` or `after` of the next page. Each
operation says which scope its key must have; another key is refused with 403 (`missing-scope`). Fields and query
parameters that are not described here are refused, and so are those given twice: a misspelled name is noticed, and nothing
is read half.
"""


def install(app: FastAPI) -> None:
    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _made(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDetails"] = problem
    for operations in made["paths"].values():
        for operation in operations.values():
            _tell_scope(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return made


def _tell_scope(operation: dict[str, Any]) -> None:
    """In words too: few readers look under `security`."""
    scopes = [scope for needed in operation.get("security", []) for names in needed.values() for scope in names]
    if scopes:
        told = f"Needs a key with the scope `{'`, `'.join(scopes)}`."
        operation["description"] = "\n\n".join(filter(None, [operation.get("description"), told]))
