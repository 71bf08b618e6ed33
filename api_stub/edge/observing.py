"""Around every request: an id, a log line, a count, safe headers; an unexpected error becomes an answer that reveals nothing."""

import time
import traceback
from pathlib import PurePath
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_stub.edge import request_counts
from api_stub.problems.details import internal
from tasks.errors import Misconfigured

log = structlog.get_logger(__name__)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Unless a page has set its own."""


class Observing:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        request_id = uuid4().hex

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope, request_id)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            log.error("request failed", request_id=request_id, **_said(error), at=_places(error))
            if status:
                raise
            await internal().response()(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - began
            route = route_of(scope)
            request_counts.count(scope["method"], route, status, seconds)
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000),
                **_key_of(scope),
            )


def route_of(scope: Scope) -> str:
    """The route's pattern, never the path: that may hold what people typed."""
    return getattr(scope.get("route"), "path", None) or request_counts.NO_ROUTE


def _key_of(scope: Scope) -> dict[str, str]:
    """The id of the API key, never the key, where it was a valid one."""
    key_id = scope.get("state", {}).get("key_id")
    return {} if key_id is None else {"key_id": str(key_id)}


def _add_headers(headers: MutableHeaders, scope: Scope, request_id: str) -> None:
    headers["X-Request-Id"] = request_id
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    parts = getattr(scope["app"].state, "parts", None)
    if parts is not None and parts.secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")


def _said(error: Exception) -> dict[str, str]:
    """What an error says may hold what people typed; but not where a setting is wrong, and then it names which."""
    kind = {"error": type(error).__name__}
    return kind | {"said": str(error)} if isinstance(error, Misconfigured) else kind


def _places(error: Exception) -> list[str]:
    """Where it happened, innermost last; no values."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
