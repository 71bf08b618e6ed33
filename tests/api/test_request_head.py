"""Heads that do not end, over real connections: each is limited in size and in time."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from itertools import repeat
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from api_stub.edge import request_head
from api_stub.edge.request_head import KIB
from tests.api.conftest import Api, purchase
from tests.api.test_order_events import follow
from tests.support.command import SETTINGS
from tests.support.messages import eventually
from tests.support.world import Customer, World
from worker.command_lines import api_command
from worker.processes import Child, Supervisor, http_ok

BEGUN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
WHOLE = BEGUN + b"\r\n"
CHUNKED = b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
TRIES = 16 * 1024 * KIB


@contextmanager
def connected(address: str) -> Iterator[socket.socket]:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=240) as line:
        yield line


def everything(line: socket.socket) -> bytes:
    """What is answered until the connection ends; nothing where the end came with a reset."""
    answer = b""
    with suppress(ConnectionError):
        while part := line.recv(64 * KIB):
            answer += part
    return answer


def head_of(size: int) -> bytes:
    """A request whose address and headers count that many bytes."""
    start, end = b"GET /healthz HTTP/1.1\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    return start + b"a" * (size - len("/healthz" + "Connection: close\r\n" + "X: \r\n")) + end


@pytest.mark.parametrize(("size", "answered"), [(32 * KIB, b" 200 "), (32 * KIB + 1, b" 431 ")])
def test_a_head_is_taken_up_to_32_kibibytes(live: str, size: int, answered: bytes) -> None:
    with connected(live) as line:
        line.sendall(head_of(size))
        answer = everything(line)
    assert answered in answer.splitlines()[0]
    assert (b"problems/head-too-large" in answer) == (answered == b" 431 ")


@pytest.mark.parametrize("line", [b"GRAB /healthz HTTP/1.1", b"GET /healthz HTTP/one", b"\x16\x03\x01\x02\x00"])
def test_what_is_not_http_is_answered_with_a_problem_and_the_connection_ends(live: str, line: bytes) -> None:
    with connected(live) as connection, capture_logs() as logged:
        connection.sendall(line + b"\r\nHost: x\r\n\r\n")
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"HTTP/1.1 400 Bad Request"
    assert {b"content-type: application/problem+json", b"connection: close"} <= set(head.splitlines())
    assert json.loads(body)["type"].endswith("/malformed-request")
    headers = BytesParser().parsebytes(head.partition(b"\r\n")[2])
    assert parsedate_to_datetime(headers["Date"]).year >= 2026
    assert [entry["status"] for entry in logged if entry.get("request_id") == headers["X-Request-ID"]] == [400]


@pytest.mark.parametrize(
    ("wrong", "status", "problem"),
    [
        (b"ZZ\r\nx\r\n", b"400 Bad Request", "malformed-request"),
        (b"3\r\nxxxx\r\n", b"400 Bad Request", "malformed-request"),
        (b"1;" + b"a" * 256 * KIB, b"431 Request Header Fields Too Large", "head-too-large"),
    ],
    ids=["size", "more than its size", "extension"],
)
def test_a_body_that_is_not_chunked_as_it_says_is_answered_once(
    live: str, api: Api, ada: Customer, wrong: bytes, status: bytes, problem: str
) -> None:
    head = (
        f"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with connected(live) as line:
        line.sendall(head.encode() + b"1\r\nx\r\n")
        with suppress(ConnectionError):
            line.sendall(wrong)
        answer = everything(line)
    assert answer.splitlines()[0] == b"HTTP/1.1 " + status
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"].endswith(problem)


@pytest.mark.parametrize("path", ["/v1/webhooks/stripe", "/v1/quotes", f"/v1/orders/{UUID(int=0)}/cancel"])
@pytest.mark.parametrize("wrong", [b"ZZ\r\n", b""], ids=["broken", "ends"])
def test_a_body_that_breaks_off_is_no_failure_of_ours(
    live: str, api: Api, ada: Customer, path: str, wrong: bytes
) -> None:
    headers = f"Host: x\r\nAuthorization: Bearer {api.key}\r\nStripe-Signature: t=1\r\nTransfer-Encoding: chunked"
    with capture_logs() as logged:
        with connected(live) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\n{headers}\r\n\r\n1\r\nx\r\n".encode() + wrong)
        assert eventually(lambda: any(entry["event"] == "request" for entry in logged))
    assert [entry["status"] for entry in logged if entry["event"] == "request"] == [408]
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


def test_a_request_that_was_answered_before_its_body_broke_gets_no_second_answer(live: str) -> None:
    with connected(live) as line:
        line.sendall(CHUNKED.replace(b"POST", b"GET"))
        answer = b""
        while b'"ok"' not in answer:
            answer += line.recv(64 * KIB)
        line.sendall(b"ZZ\r\n")
        answer += everything(line)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_what_is_wrong_with_a_later_request_is_not_answered_in_place_of_the_one_before(
    live: str, api: Api, ada: Customer
) -> None:
    path = f"/v1/orders/{api.order(ada, purchase())}/events"
    held = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode()
    with connected(live) as line:
        line.sendall(held + CHUNKED + b"ZZ\r\n")
        assert everything(line) == b""


@pytest.mark.parametrize(
    ("begin", "on_and_on"),
    [
        (BEGUN, b"a:\r\n"),
        (BEGUN + b"X: ", b"a"),
        (BEGUN, b"a"),
        (b"GET /", b"a"),
        (WHOLE, b"\r\n"),
        (CHUNKED + b"0\r\n", b"a:\r\n"),
        (CHUNKED + b"0\r\nX: ", b"a"),
        (CHUNKED + b"1;", b"a"),
    ],
    ids=["headers", "value", "name", "address", "lines between", "trailers", "trailer", "chunk extension"],
)
def test_what_does_not_end_is_not_taken_for_long(live: str, begin: bytes, on_and_on: bytes) -> None:
    piece, sent = on_and_on * (16 * KIB // len(on_and_on)), 0
    with connected(live) as line:
        line.sendall(begin)
        with suppress(ConnectionError):
            while sent < TRIES:
                line.sendall(piece)
                sent += len(piece)
    assert sent < TRIES


@pytest.mark.parametrize(
    "unfinished",
    [b"", BEGUN, WHOLE + BEGUN, WHOLE + b"\r\n", CHUNKED, CHUNKED + b"0\r\nX: "],
    ids=["nothing", "head", "second head", "line", "answered body", "answered trailers"],
)
def test_a_connection_that_does_not_finish_what_it_began_is_closed(
    live: str, monkeypatch: pytest.MonkeyPatch, unfinished: bytes
) -> None:
    monkeypatch.setattr(request_head, "LONGEST", 0.2)
    with connected(live) as line:
        line.sendall(unfinished)
        line.settimeout(60)
        everything(line)


def test_requests_that_come_together_are_not_one_large_head(live: str) -> None:
    with connected(live) as line:
        line.sendall(WHOLE * 2000 + BEGUN + b"Connection: close\r\n\r\n")
        assert everything(line).count(b"HTTP/1.1 200 OK") == 2001


def test_a_body_in_many_small_pieces_is_no_head(live: str) -> None:
    with connected(live) as line:
        line.sendall(CHUNKED.replace(b"Host", b"Connection: close\r\nHost"))
        with suppress(ConnectionError):
            for piece in repeat(b"1\r\nx\r\n", 10_000):
                line.sendall(piece)
            line.sendall(b"0\r\n\r\n")
        assert b" 431 " not in everything(line)


def begun(live: str, api: Api, order_id: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """A stream past its first event, however often it took its head longer to come than it may on a slow machine."""
    while True:
        stream = follow(live, api, order_id)
        with suppress(httpx.TransportError):
            next(stream)
            return stream


def test_an_answer_may_take_longer_than_a_head(
    live: str, world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_head, "LONGEST", 0.05)
    order_id = api.order(ada, purchase())
    stream = begun(live, api, order_id)
    world.run(UUID(order_id))
    assert [kind for _, kind, _ in stream][-1] == "order.completed"


def test_the_api_is_started_with_these_limits(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as processes:
        port = processes.port()
        command = api_command(host="127.0.0.1", port=port)
        ours = dict.fromkeys((name for name in os.environ if name.startswith("PRORATA_")), "") | SETTINGS
        ready = http_ok(f"http://127.0.0.1:{port}/healthz")
        child: Child = processes.start("api", command, env=ours, ready=ready, deadline=240)
        assert child.running()
        with connected(f"http://127.0.0.1:{port}") as line:
            line.sendall(head_of(32 * KIB + 1))
            assert b" 431 " in everything(line)
