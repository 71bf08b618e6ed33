"""Connections that can be cut under a request: uvicorn's HTTP protocol, with its transports kept by the peer's address."""

import asyncio
import socket
import struct

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_transports: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            _transports[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _transports.pop(self.client, None)
        super().connection_lost(exc)


async def cut(request: Request, *, reset: bool) -> None:
    """Close the connection without an answer; with `reset` the other side sees ECONNRESET instead of an end of file."""
    if request.client is None or (transport := _transports.get((request.client.host, request.client.port))) is None:
        return
    sock = transport.get_extra_info("socket")
    if reset and sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (request.client.host, request.client.port) in _transports:
        await asyncio.sleep(0)
