"""Who asks, and whether they may: an API key in the Authorization header, with the scope that the route needs."""

from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.datastructures import State

from api_stub.edge.header_fields import require_headers_once
from api_stub.edge.json_bodies import require_once
from api_stub.edge.query import require_known_once
from api_stub.edge.rate_limit import RateLimit
from api_stub.problems.details import Problem
from api_stub.threads import in_thread
from tasks.upstream.api_keys import Scope
from tasks.upstream.callers import Caller, caller_with
from tasks.wiring import begin

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="apiKey",
    bearerFormat="prk_…",
    description="An API key: `Authorization: Bearer prk_…`",
)
UNKNOWN = "unknown"
"""all keys that there are not count as one: each by itself would leave a record in Redis, and whoever makes up another would go on"""
LONG = 8 * 1024
"""bytes of a body, some fifty lines of an order: to validate more, the event loop may need longer than it takes to look up a key"""

_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as presented, for busy endpoints, which look it up in their own transaction to save one.

    A malformed request never reaches the endpoint: `api_stub.edge.validation` looks the key up before it reports the errors. Nor does anybody
    without a key get a long body validated: `RequiresKey` looks the key up before.
    """

    key: str = field(repr=False)
    scope: Scope
    limit: RateLimit
    state: State = field(default_factory=State, repr=False)
    """the request's: `key_id` is there for its log line once the key is known, and `is_counted` once the request was"""

    def authenticate(self, session: Session, account_id: UUID | None = None) -> Caller:
        """The caller, if the key is valid and has the scope. Raises Problem 401, 403 or 429.

        account_id: the account that the request is about (`access.require_account`).
        """
        caller = caller_with(session, self.key, account_id=account_id)
        if caller is not None:
            self.state.key_id = caller.key_id
        if not getattr(self.state, "is_counted", False):  # it is not looked up for the first time
            self.limit.count(caller.key_id.hex if caller else UNKNOWN)
            self.state.is_counted = True
        if caller is None:
            raise _unauthorized("This API key is unknown or was revoked.")
        if self.scope not in caller.scopes:
            raise Problem(
                403, "missing-scope", f"This API key lacks the scope {self.scope.value}.", scope=self.scope.value
            )
        return caller

    def caller(self) -> Caller:
        """The same, in a transaction of its own."""
        with begin() as session:
            return self.authenticate(session)


@dataclass(frozen=True, slots=True)
class RequiresKey:
    """Dependency: the key, looked up already only if the body is long; 401 where there is none, 422 where the query has a parameter unknown to the route, or query, headers or body give a name twice."""

    scope: Scope

    async def __call__(self, request: Request, credentials: _Credentials) -> PresentedKey:
        request.state.presented_key = presented = _presented(request, credentials, self.scope)
        if len(await request.body()) > LONG:
            await in_thread(presented.caller)
        _require_plain(request)
        return presented


@dataclass(frozen=True, slots=True)
class RequiresCaller:
    """Dependency: the caller, if the key is valid and has `scope`; 401, 403 or 429 otherwise, and 422 as `RequiresKey`."""

    scope: Scope

    async def __call__(self, request: Request, credentials: _Credentials) -> Caller:
        caller = await in_thread(_presented(request, credentials, self.scope).caller)
        _require_plain(request)
        return caller


def _presented(request: Request, credentials: HTTPAuthorizationCredentials | None, scope: Scope) -> PresentedKey:
    if len(request.headers.getlist("Authorization")) > 1:
        raise _unauthorized("The header Authorization appears more than once: send one API key.")
    if credentials is None:
        raise _unauthorized("An API key is needed: send it as `Authorization: Bearer prk_…`.")
    return PresentedKey(credentials.credentials, scope, request.app.state.rate_limit, request.state)


def _require_plain(request: Request) -> None:
    """Raises RequestValidationError where the query has an unknown parameter, or query, headers or body give a name twice."""
    require_known_once(request)
    require_headers_once(request)
    require_once(request)


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def _needing(dependency: RequiresCaller | RequiresKey) -> Any:
    """The dependency, and its scope for OpenAPI to tell."""
    return Security(dependency, scopes=[dependency.scope.value])


OrdersReader = Annotated[Caller, _needing(RequiresCaller(Scope.ORDERS_READ))]
OrdersWriter = Annotated[Caller, _needing(RequiresCaller(Scope.ORDERS_WRITE))]
OrdersWriterKey = Annotated[PresentedKey, _needing(RequiresKey(Scope.ORDERS_WRITE))]
AccountsReader = Annotated[Caller, _needing(RequiresCaller(Scope.ACCOUNTS_READ))]
AccountsWriter = Annotated[Caller, _needing(RequiresCaller(Scope.ACCOUNTS_WRITE))]
SeatsWriter = Annotated[Caller, _needing(RequiresCaller(Scope.SEATS_WRITE))]
