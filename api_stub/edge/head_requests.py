"""HEAD wherever there is GET, as RFC 9110 (9.1) wants it: the same status and headers. The server leaves out the body."""

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send


class HeadRoute(APIRoute):
    """A route whose GET answers HEAD, too. The OpenAPI document tells of GET alone."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(self._asked(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(self._asked(scope), receive, send)

    def _asked(self, scope: Scope) -> Scope:
        """A copy: log, metrics and the server still see the HEAD."""
        if scope.get("method") != "HEAD" or "GET" not in (self.methods or ()):
            return scope
        return {**scope, "method": "GET"}
