"""Who asks, and whether they may: an API key in the Authorization header, with the scope that the route needs."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api_stub.problems import Problem
from api_stub.rate_limit import RateLimit
from tasks import api_keys
from tasks.api_keys import Caller, Scope
from tasks.wiring import begin

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="apiKey",
    bearerFormat="prk_…",
    description="An API key: `Authorization: Bearer prk_…`",
)


class Requires:
    """Dependency: the caller, if the key is valid and has `scope`; 401, 403 or 429 otherwise."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Caller:
        if credentials is None:
            raise _unauthorized("An API key is needed: send it as `Authorization: Bearer prk_…`.")
        limit: RateLimit = request.app.state.rate_limit
        limit.count(api_keys.digest_of(credentials.credentials)[:32])
        with begin() as session:
            caller = api_keys.caller_with(session, credentials.credentials)
        if caller is None:
            raise _unauthorized("This API key is unknown or was revoked.")
        if self.scope not in caller.scopes:
            raise Problem(
                403, "missing-scope", f"This API key lacks the scope {self.scope.value}.", scope=self.scope.value
            )
        return caller


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


OrdersReader = Annotated[Caller, Depends(Requires(Scope.ORDERS_READ))]
OrdersWriter = Annotated[Caller, Depends(Requires(Scope.ORDERS_WRITE))]
AccountsReader = Annotated[Caller, Depends(Requires(Scope.ACCOUNTS_READ))]
AccountsWriter = Annotated[Caller, Depends(Requires(Scope.ACCOUNTS_WRITE))]
SeatsWriter = Annotated[Caller, Depends(Requires(Scope.SEATS_WRITE))]
