"""Limits a request's head in size and in time: one that does not end holds a connection and its memory, before any key was seen."""

import asyncio
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api_stub.problems.details import Problem

log = structlog.get_logger(__name__)

KIB = 1024
LARGEST = 32 * KIB
"""bytes: request line and headers together, with the trailers of a chunked body"""
LONGEST = 10.0
"""seconds for a head, from when the connection was made, or from the answer before; what is left of the request before has to come in that time, too"""


class _TooLarge(Exception):
    """The parser gives up at this."""


_NOT_HTTP = Problem(
    400,
    "malformed-request",
    "The request is not HTTP as it can be read here: look at its method, its headers and the chunks of its body.",
)
_TOO_LONG = Problem(431, "head-too-large", f"The request's headers are too large: at most {LARGEST // KIB} KiB.")


class LimitedHead(HttpToolsProtocol):
    """Where the answer cannot be 400 or 431, because another is under way or comes first, the connection just ends."""

    _told = 0
    """bytes of the head that the parser has told us of: it tells of a header when it has the whole of it"""
    _untold = 0
    """bytes in a row that neither ended a head nor were part of a body"""
    _went_on = False
    _in_body = False
    """of the request whose head came last"""
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._went_on = False
        super().data_received(data)
        self._untold = 0 if self._went_on else self._untold + len(data)
        if self._untold > LARGEST and not self.transport.is_closing():
            self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        self._told = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._went_on = self._in_body = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._went_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._went_on, self._in_body = True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # no other request waits for its answer
            self._expect_head()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, in plain text
        self._refuse(_TOO_LONG if self._told > LARGEST else _NOT_HTTP)

    def _count(self, more: int) -> None:
        self._told += more
        if self._told > LARGEST:
            raise _TooLarge

    def _refuse(self, problem: Problem) -> None:
        if self._is_first_answer():
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True  # what the application says of half a body is not sent after this
            self._answer(problem)
        self.transport.close()

    def _is_first_answer(self) -> bool:
        """Whether the request at fault is not answered yet, and no other before it waits for its answer."""
        if self._in_body:
            return not self.cycle.response_started and not self.pipeline
        return self.cycle is None or bool(self.cycle.response_complete)

    def _answer(self, problem: Problem) -> None:
        request_id, made = uuid4().hex, problem.response()
        log.info("unreadable request", request_id=request_id, status=problem.status)
        own = [(b"x-request-id", request_id.encode()), (b"connection", b"close")]
        headers = [*self.server_state.default_headers, *made.raw_headers, *own]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", bytes(made.body)]))

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._overdue = self.loop.call_later(LONGEST, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
