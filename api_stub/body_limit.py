"""No request body larger than its route needs, or slower than anybody's line: what is still coming is held, by whoever sends it."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_stub.problems import Problem

KIB = 1024
LONGEST = 20.0
"""seconds for a whole body"""


class BodyLimit:
    def __init__(self, app: ASGIApp, *, default: int, by_ending: Mapping[str, int]) -> None:
        """default: bytes; by_ending: another number of bytes for paths that end so."""
        self._app = app
        self._default = default
        self._by_ending = dict(by_ending)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = next((most for end, most in self._by_ending.items() if scope["path"].endswith(end)), self._default)
        if _announced(scope) > most:
            await _too_large(most).response()(scope, receive, send)
            return
        received, whole = 0, False
        until = asyncio.get_running_loop().time() + LONGEST

        async def counted() -> Message:
            nonlocal received, whole
            if whole:
                return await receive()  # that the caller has gone, whenever that is
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408) from None
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > most:
                raise HTTPException(413)  # of this kind, or the framework would call it a body it cannot read
            return message

        await self._app(scope, counted, send)


def _announced(scope: Scope) -> int:
    """The Content-Length; 0 where there is none that makes sense."""
    value = dict(scope["headers"]).get(b"content-length", b"")
    return int(value) if value.isdigit() else 0


def _too_large(most: int) -> Problem:
    return Problem(413, "body-too-large", f"The request is too large: at most {most // KIB} KiB.")
