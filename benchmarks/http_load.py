"""`python -m benchmarks.http_load HOST PORT CONCURRENCY < requests`: sends HTTP requests and says how each was answered.

Requests are lines of JSON (path, headers, body); answers are printed as JSON lines (status, seconds, when; of a refusal, the body) in the same order.
A client of bare sockets, because on two processors an HTTP library would take a good part of what is to be measured.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.failures import OrdersRefused

Answer = dict[str, Any]

CONNECTIONS = 8
"""at once, as the scenarios use it"""
ANSWERS = "answers.jsonl"
"""in a turn's folder: how each request of the last burst was answered"""

REFUSED = 300
"""this status or above"""


async def send(requests: list[dict[str, Any]], host: str, port: int, concurrency: int) -> list[Answer]:
    answers: list[Answer] = [{} for _ in requests]
    waiting = iter(enumerate(requests))
    await asyncio.gather(*(_client(host, port, waiting, answers) for _ in range(concurrency)))
    return answers


async def _client(host: str, port: int, waiting: Iterator[tuple[int, dict[str, Any]]], answers: list[Answer]) -> None:
    """One connection, kept open, one request at a time."""
    reader, writer = await asyncio.open_connection(host, port)
    for index, request in waiting:
        message = _as_bytes(request, host)
        began = time.perf_counter()
        writer.write(message)
        status, body = await _answer(reader)
        answers[index] = {"status": status, "seconds": time.perf_counter() - began, "when": time.time()}
        if status >= REFUSED:
            answers[index]["body"] = body.decode(errors="replace")
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return int(head[9:12]), await reader.readexactly(length)


def _as_bytes(request: dict[str, Any], host: str) -> bytes:
    body = json.dumps(request["body"]).encode()
    headers = {"Host": host, "Content-Type": "application/json", "Content-Length": len(body), **request["headers"]}
    lines = [f"POST {request['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def none_refused(answers: Sequence[Answer]) -> None:
    """Raises OrdersRefused."""
    refused = [answer for answer in answers if answer["status"] >= REFUSED]
    if refused:
        first = refused[0]
        raise OrdersRefused(
            f"{len(refused)} of {len(answers)} requests were refused, the first with {first['status']}: {first['body']}"
        )


def main() -> None:
    host, port, concurrency = sys.argv[1:4]
    requests = [json.loads(line) for line in sys.stdin]
    for answer in asyncio.run(send(requests, host, int(port), int(concurrency))):
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
