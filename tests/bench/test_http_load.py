"""Whether requests wait for each other's answers."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import http_load

REQUESTS, RATE = 10, 100.0
REQUEST = {"path": "/orders", "headers": {}, "body": {}}


@pytest.fixture
def stalled_until_all_are_there() -> Iterator[int]:
    """The port of a server that answers nobody before the last request has come."""
    everybody = threading.Barrier(REQUESTS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            everybody.wait(timeout=30)
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_in_an_open_loop_a_stall_counts_for_everybody_who_came_meanwhile(stalled_until_all_are_there: int) -> None:
    answers = asyncio.run(http_load.arrive([REQUEST] * REQUESTS, "127.0.0.1", stalled_until_all_are_there, RATE))
    assert [answer["status"] for answer in answers] == [201] * REQUESTS
    at_least = [(REQUESTS - 1 - number) / RATE for number in range(REQUESTS)]
    assert all(answer["seconds"] >= least for answer, least in zip(answers, at_least, strict=True))
    assert all(0 <= answer["late"] <= answer["seconds"] for answer in answers)
