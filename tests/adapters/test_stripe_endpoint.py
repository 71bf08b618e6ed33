"""How the Stripe stand-in posts events: one connection for many, and what it makes of endpoints that misbehave."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api_stub.stand_ins.stripe import endpoint as module
from api_stub.stand_ins.stripe.endpoint import Endpoint, Failed

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"
HINTED = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + KEPT


class Merchant:
    """Answers each request with the next of `answers`; an empty one hangs up."""

    def __init__(self, *answers: bytes, hangs_up_after: bool = False) -> None:
        self.answers, self.hangs_up_after = list(answers), hangs_up_after
        self.connections = 0
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            answer = self.answers.pop(0)
            writer.write(answer)
            if not answer or self.hangs_up_after or answer is CLOSED:
                break
        writer.close()


def talk(merchant: Merchant, conversation: Callable[[Endpoint, str], Awaitable[None]]) -> None:
    async def run() -> None:
        server = await asyncio.start_server(merchant.serve, "127.0.0.1", 0)
        endpoint = Endpoint()
        try:
            await conversation(endpoint, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b")
        finally:
            endpoint.close()
            server.close()

    asyncio.run(run())


def test_events_follow_each_other_over_one_connection() -> None:
    merchant = Merchant(KEPT, CHUNKED, HINTED)

    async def conversation(endpoint: Endpoint, url: str) -> None:
        told = [await endpoint.post(url, b'{"n":%d}' % n, {"Stripe-Signature": "t=1"}) for n in range(3)]
        assert told == [200, 202, 200]

    talk(merchant, conversation)
    assert merchant.connections == 1
    assert merchant.requests[1].startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"stripe-signature: t=1\r\n" in merchant.requests[1].lower()
    assert merchant.requests[1].endswith(b'\r\n\r\n{"n":1}')


@pytest.mark.parametrize("merchant", [Merchant(KEPT, KEPT, hangs_up_after=True), Merchant(CLOSED, KEPT)])
def test_a_connection_that_was_closed_meanwhile_is_replaced(merchant: Merchant) -> None:
    async def conversation(endpoint: Endpoint, url: str) -> None:
        assert await endpoint.post(url, b"{}", {}) == 200
        await asyncio.sleep(0.05)
        assert await endpoint.post(url, b"{}", {}) == 200

    talk(merchant, conversation)
    assert merchant.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_no_whole_answer_is_a_failure(answer: bytes) -> None:
    async def conversation(endpoint: Endpoint, url: str) -> None:
        with pytest.raises(Failed):
            await endpoint.post(url, b"{}", {})

    talk(Merchant(answer, hangs_up_after=True), conversation)


def test_an_endpoint_that_says_nothing_costs_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)

    async def conversation(_endpoint: Endpoint, _url: str) -> None:
        silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        with pytest.raises(TimeoutError):
            await Endpoint().post(f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}", b"{}", {})
        silent.close()

    talk(Merchant(), conversation)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///hook", "http://127.0.0.1:99999/", "http://127.0.0.1:1/"])
def test_an_address_where_nobody_is_is_a_failure(url: str) -> None:
    async def conversation(endpoint: Endpoint, _url: str) -> None:
        with pytest.raises(Failed):
            await endpoint.post(url, b"{}", {})

    talk(Merchant(), conversation)
