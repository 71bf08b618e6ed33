"""The merchant's webhook endpoint: posts to it over connections that are kept for the next event.

A general HTTP client took half of the stand-in's processor time. Not covered: redirects, proxies, compressed answers.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

import h11

PATIENCE = 10.0
"""seconds for a whole delivery"""
IDLE_SECONDS = 4.0
"""a little less than servers usually keep a connection that says nothing"""

Failed = (OSError, TimeoutError, EOFError, ValueError, h11.ProtocolError)
"""what `Endpoint.post` raises where there is no answer"""


@dataclass(slots=True)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection
    idle_since: float = 0.0

    def is_good(self) -> bool:
        fresh = time.monotonic() - self.idle_since < IDLE_SECONDS
        return fresh and not self.reader.at_eof() and not self.writer.is_closing()

    async def ask(self, request: h11.Request, content: bytes) -> int:
        """The answer's status."""
        self.writer.write(
            b"".join(self.http.send(event) or b"" for event in (request, h11.Data(data=content), h11.EndOfMessage()))
        )
        await self.writer.drain()
        status = 0
        while not isinstance(event := self.http.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                received = await self.reader.read(65536)
                if not received and self.http.their_state is h11.SEND_RESPONSE:
                    raise EOFError("no answer")
                self.http.receive_data(received)
            elif isinstance(event, h11.Response):
                status = event.status_code
        return status


class Endpoint:
    def __init__(self) -> None:
        self._idle: dict[tuple[str, str | None, int | None], list[_Line]] = {}

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """The answer's status. Raises one of `Failed`."""
        where = urlsplit(url)
        idle = self._idle.setdefault((where.scheme, where.hostname, where.port), [])
        request = h11.Request(
            method="POST",
            target=(where.path or "/") + (f"?{where.query}" if where.query else ""),
            headers=[
                ("Host", where.netloc.rpartition("@")[2]),
                ("Content-Length", str(len(content))),
                *headers.items(),
            ],
        )
        async with asyncio.timeout(PATIENCE):
            line = _kept(idle) or await _opened(where)
            try:
                status = await line.ask(request, content)
            except BaseException:
                line.writer.close()
                raise
        if line.http.our_state is h11.DONE and line.http.their_state is h11.DONE:
            line.http.start_next_cycle()
            line.idle_since = time.monotonic()
            idle.append(line)
        else:
            line.writer.close()
        return status

    def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().writer.close()


def _kept(idle: list[_Line]) -> _Line | None:
    while idle:
        line = idle.pop()
        if line.is_good():
            return line
        line.writer.close()
    return None


async def _opened(where: SplitResult) -> _Line:
    if where.scheme not in ("http", "https") or not where.hostname:
        raise ValueError("not an http(s) URL")
    secure = where.scheme == "https"
    reader, writer = await asyncio.open_connection(
        where.hostname, where.port or (443 if secure else 80), ssl=_trust() if secure else None
    )
    return _Line(reader, writer, h11.Connection(h11.CLIENT))


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
