"""The merchant's webhook endpoint: posts to it over connections that are kept for the next event.

Requests are written here and answers parsed in C: a general HTTP client would take as much processor time as all else that the stand-in does.
Not covered: redirects, proxies, compressed answers.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

import httptools

PATIENCE = 10.0
"""seconds for a whole delivery"""
IDLE_SECONDS = 4.0
"""a little less than servers usually keep a connection that says nothing"""

Failed = (OSError, TimeoutError, EOFError, ValueError, httptools.HttpParserError)
"""what `Endpoint.post` raises where there is no answer"""


class _Answer:
    """An HTTP answer while it comes in; the `on_...` are for the parser, which is the one that uvicorn reads requests by."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._has_length = False
        self.status = 0
        self.is_whole = False
        self.keeps_connection = False

    def take(self, received: bytes) -> None:
        """Feed what came in; empty: the other side has hung up. Raises EOFError where that leaves the answer incomplete."""
        if received:
            self._parser.feed_data(received)
        elif self.status and not self._has_length:
            self.is_whole = True
        else:
            raise EOFError("no whole answer")

    def on_header(self, name: bytes, _value: bytes) -> None:
        self._has_length |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else 0  # 1xx come before the answer itself

    def on_message_complete(self) -> None:
        self.is_whole = self.status > 0
        self.keeps_connection = self._parser.should_keep_alive()


@dataclass(slots=True)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def is_good(self) -> bool:
        fresh = time.monotonic() - self.idle_since < IDLE_SECONDS
        return fresh and not self.reader.at_eof() and not self.writer.is_closing()

    async def ask(self, request: bytes) -> _Answer:
        self.writer.write(request)
        await self.writer.drain()
        answer = _Answer()
        while not answer.is_whole:
            answer.take(await self.reader.read(65536))
        return answer


class Endpoint:
    def __init__(self) -> None:
        self._idle: dict[tuple[str, str | None, int | None], list[_Line]] = {}

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """The answer's status. Raises one of `Failed`."""
        where = urlsplit(url)
        idle = self._idle.setdefault((where.scheme, where.hostname, where.port), [])
        request = _request(where, content, headers)
        async with asyncio.timeout(PATIENCE):
            line = _kept(idle) or await _opened(where)
            try:
                answer = await line.ask(request)
            except BaseException:
                line.writer.close()
                raise
        if answer.keeps_connection:
            line.idle_since = time.monotonic()
            idle.append(line)
        else:
            line.writer.close()
        return answer.status

    def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().writer.close()


def _request(where: SplitResult, content: bytes, headers: Mapping[str, str]) -> bytes:
    """Head and body in one: apart, they are two packets, and the endpoint's server wakes up for each."""
    target = (where.path or "/") + (f"?{where.query}" if where.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {where.netloc.rpartition('@')[2]}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + content


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
    return _Line(reader, writer)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
