"""`python -m benchmarks.http_load HOST PORT closed CONNECTIONS < requests`: sends HTTP requests and says how each was answered.

Closed: each connection sends its next request once the last was answered. While the server stalls nobody asks, so a stall counts
in one answer a connection, however many customers would have met it (coordinated omission).
`open RATE`: requests are sent at fixed moments, so many per second, however slowly others are answered; a request's time runs from its moment.

Requests are lines of JSON (path, headers, body); answers are printed as JSON lines (status, seconds, when; of a refusal, the body; in the
open loop `late`, the seconds by which this client missed the moment) in the same order.
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

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

CLOSED = ("closed", "8")
"""eight connections, as the scenarios use it"""
ARRIVALS = 200
"""requests a second: half of the orders that eight connections in a closed loop place while workers are busy, and three times those that the
workers carry through. Near the API's limit an answer's time would say how long the queue has been growing, and nothing about one order."""
OPEN = ("open", str(ARRIVALS))
ANSWERS = "answers.jsonl"
"""in a turn's folder: how each request of the last burst was answered"""

REFUSED = 300
"""this status or above"""


async def send(requests: list[dict[str, Any]], host: str, port: int, connections: int) -> list[Answer]:
    """In a closed loop."""
    answers: list[Answer] = [{} for _ in requests]
    waiting = iter(enumerate(requests))
    await asyncio.gather(*(_client(host, port, waiting, answers) for _ in range(connections)))
    return answers


async def _client(host: str, port: int, waiting: Iterator[tuple[int, dict[str, Any]]], answers: list[Answer]) -> None:
    """One connection, kept open, one request at a time."""
    connection = await asyncio.open_connection(host, port)
    for index, request in waiting:
        answers[index] = await _ask(connection, _as_bytes(request, host), since=time.perf_counter())
    connection[1].close()


async def arrive(requests: list[dict[str, Any]], host: str, port: int, rate: float) -> list[Answer]:
    """In an open loop: `rate` requests a second. A connection is used again once it is free; where none is, one is opened."""
    free: list[Connection] = []
    began = time.perf_counter()

    async def customer(message: bytes, moment: float) -> Answer:
        late = time.perf_counter() - moment
        connection = _kept(free) or await asyncio.open_connection(host, port)
        answer = await _ask(connection, message, since=moment)
        free.append(connection)
        return {**answer, "late": late}

    customers = []
    for number, request in enumerate(requests):
        message = _as_bytes(request, host)
        moment = began + number / rate
        await asyncio.sleep(moment - time.perf_counter())
        customers.append(asyncio.create_task(customer(message, moment)))
    answers = await asyncio.gather(*customers)
    for _, writer in free:
        writer.close()
    return answers


def _kept(free: list[Connection]) -> Connection | None:
    """The one used last, which the server has most likely not closed."""
    while free:
        connection = free.pop()
        if not connection[0].at_eof():
            return connection
        connection[1].close()
    return None


async def _ask(connection: Connection, message: bytes, *, since: float) -> Answer:
    reader, writer = connection
    writer.write(message)
    status, body = await _answer(reader)
    answer = {"status": status, "seconds": time.perf_counter() - since, "when": time.time()}
    return {**answer, "body": body.decode(errors="replace")} if status >= REFUSED else answer


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
    host, port, loop, number = sys.argv[1:5]
    requests = [json.loads(line) for line in sys.stdin]
    answered = {
        "closed": lambda: send(requests, host, int(port), int(number)),
        "open": lambda: arrive(requests, host, int(port), float(number)),
    }
    for answer in asyncio.run(answered[loop]()):
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
