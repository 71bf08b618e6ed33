"""Limits request bodies in size and in the time they take to come in: an unfinished body holds a connection and its memory."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_stub.problems.details import Problem

KIB = 1024
ALWAYS_GRANTED = 10.0
"""seconds for any body, however small its size limit"""
SLOWEST = 16 * KIB
"""bytes per second: the larger a body may be, the longer it may take"""
_NO_MORE = {"Connection": "close"}
"""the rest of the body is not read"""


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
        received, over = 0, False
        until = asyncio.get_running_loop().time() + ALWAYS_GRANTED + most / SLOWEST

        async def answering(message: Message) -> None:
            nonlocal over
            over = True
            await send(message)

        async def counted() -> Message:
            nonlocal received, over
            if over:
                return await receive()  # waits for the caller to disconnect
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, headers=_NO_MORE) from None
            except asyncio.CancelledError:  # the server stops, and has waited for long enough: nothing was done yet
                raise HTTPException(503, headers=_NO_MORE | {"Retry-After": "1"}) from None
            if message["type"] == "http.disconnect":
                raise HTTPException(408)  # nobody hears it: for log and metrics, where it is no failure of ours
            received += len(message.get("body", b""))
            over = over or not message.get("more_body", False)
            if received > most:
                # An HTTPException: any other, the framework would report as a body that it cannot read.
                raise HTTPException(413, _too_large(most).detail, headers=_NO_MORE)
            return message

        await self._app(scope, counted, answering)


def _announced(scope: Scope) -> int:
    """The Content-Length; 0 where there is none that makes sense."""
    value = dict(scope["headers"]).get(b"content-length", b"")
    return int(value) if value.isdigit() else 0


def _too_large(most: int) -> Problem:
    return Problem(413, "body-too-large", f"The request is too large: at most {most // KIB} KiB.")
