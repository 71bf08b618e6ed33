"""HEAD wherever there is GET, as RFC 9110 (9.1) wants it: the same status and headers. The server leaves out the body."""

from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from api_stub.edge.second_try import SecondTryRoute


class HeadRoute(SecondTryRoute):
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
