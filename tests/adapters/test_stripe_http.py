"""The SDK speaks by urllib3 itself, and by its own client where the environment names a proxy."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import stripe

from tasks.errors import Misconfigured, OutcomeUnknown, TemporarilyUnavailable
from tasks.ports import ChargeRequest, ChargeStatus
from tests.support.mailbox import TLS_FLAGS, running_mailbox
from tests.support.tls_fronts import CERTIFICATES, LOOPBACK, TRUSTED
from worker.adapters.stripe import StripePayments
from worker.adapters.stripe_http import DirectClient, http_client


def planned() -> ChargeRequest:
    """Just now: a plan is sent only for some seconds."""
    return ChargeRequest(
        order_id=UUID(int=7), attempt=1, key="order:7:charge:1", customer_ref="cus_1", payment_method_ref="pm_1",
        amount_minor=100, currency="eur", description="Order 7",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def kind(base: str = stripe.DEFAULT_API_BASE) -> type[stripe.HTTPClient]:
    return type(http_client(base, connect_timeout=3.0, read_timeout=20.0))


def test_usually_requests_go_straight_to_the_provider() -> None:
    assert kind() is DirectClient


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert kind() is stripe.RequestsClient
    assert kind("http://127.0.0.1:12111") is DirectClient


def test_a_proxy_for_everything_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert kind() is stripe.RequestsClient


@pytest.mark.parametrize(
    ("not_for", "base"), [("stripe.com", stripe.DEFAULT_API_BASE), ("10.0.0.0/8", "https://10.1.2.3")]
)
def test_a_proxy_is_not_used_for_a_host_that_it_is_not_for(
    monkeypatch: pytest.MonkeyPatch, not_for: str, base: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", not_for)
    assert kind(base) is DirectClient


def test_certificates_are_checked_against_the_sdks_own() -> None:
    client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
    told = client._pools.connection_pool_kw
    assert (told["cert_reqs"], told["ca_certs"]) == ("CERT_REQUIRED", stripe.ca_bundle_path)


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_a_server_whose_certificate_does_not_hold_is_told_nothing_and_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str | None
) -> None:
    """By urllib3, and by the SDK's own client."""
    if proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with running_mailbox(tmp_path, "--tls", "implicit", *TLS_FLAGS) as stranger:
        base = f"https://127.0.0.1:{stranger.port}"
        payments = StripePayments(
            api_key="sk_test_x",
            webhook_secret="whsec_x",
            orders_page="https://shop.example",
            api_base=base,
            patience=0.5,
        )
        monkeypatch.delenv("HTTPS_PROXY", raising=False)
        asks: list[Callable[[], object]] = [
            lambda: payments.charge(planned()),
            lambda: payments.retrieve_charge("pi_1"),
        ]
        for ask in asks:
            with pytest.raises(Misconfigured, match="certificate is not trusted"):
                ask()


def test_a_server_that_is_not_there_may_be_asked_again(unused_tcp_port: int) -> None:
    client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
    with pytest.raises(stripe.APIConnectionError) as refused:
        client.request("get", f"http://127.0.0.1:{unused_tcp_port}/", None)
    assert refused.value.should_retry is True


@contextmanager
def hearing(requests: list[bytes], *, tls: bool = False) -> Iterator[str]:
    """A server's address; what it received at the first try, of each request on one connection."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")

    def serve() -> None:
        client, _ = listening.accept()
        with context.wrap_socket(client, server_side=True) if tls else client as connection:
            while received := connection.recv(65536):
                requests.append(received)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server((LOOPBACK, 0)) as listening:
        server = threading.Thread(target=serve)
        server.start()
        yield f"{'https' if tls else 'http'}://localhost:{listening.getsockname()[1]}"
        server.join(timeout=5)


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_is_sent_whole(monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> None:
    monkeypatch.setattr(stripe, "ca_bundle_path", str(TRUSTED))
    requests: list[bytes] = []
    with hearing(requests, tls=tls) as base:
        client = DirectClient(connect_timeout=3.0, read_timeout=20.0)
        for amount in ("amount=1", "amount=2"):
            assert client.request("post", f"{base}/v1/refunds", {"Idempotency-Key": "k"}, amount)[:2] == ("{}", 200)
        assert client.request("get", f"{base}/v1/refunds/re_1", {})[:2] == ("{}", 200)
        client.close()
    assert [request.partition(b"\r\n\r\n")[2] for request in requests] == [b"amount=1", b"amount=2", b""]
    assert [request.split(b"\r\n")[0] for request in requests] == [
        b"POST /v1/refunds HTTP/1.1",
        b"POST /v1/refunds HTTP/1.1",
        b"GET /v1/refunds/re_1 HTTP/1.1",
    ]


@contextmanager
def answering(*said: tuple[int, bytes]) -> Iterator[str]:
    """The address of a server that says the last of these to everybody, after each of the others once."""
    answers = [f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body for status, body in said]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65536):
                self.request.sendall(answers.pop(0) if len(answers) > 1 else answers[0])

    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
        server.shutdown()


def asking(base: str, *, patience: float = 0.3) -> StripePayments:
    return StripePayments(
        api_key="sk_test_x",
        webhook_secret="whsec_x",
        orders_page="https://shop.example",
        api_base=base,
        patience=patience,
    )


A_CHARGE = b'{"id":"pi_1","object":"payment_intent","status":"%s","amount":100,"currency":"eur","metadata":{},"next_action":null}'


A_PAGE = "<h1>D\u00e9sol\u00e9</h1>".encode("latin-1")


def test_a_proxy_s_error_page_is_asked_about_again() -> None:
    with answering((502, A_PAGE), (200, A_CHARGE % b"succeeded")) as base:
        assert asking(base, patience=60).charge(planned()).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, A_PAGE),
        (200, A_PAGE),
        (200, b"{}"),
        (200, b"null"),
        (200, b"[]"),
        (200, A_CHARGE % b"requires_something_new"),
        (500, b'{"error": "oops"}'),
        (500, b'{"error": null}'),
    ],
)
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_an_answer_that_is_not_the_providers_leaves_a_charge_in_doubt_and_a_look_undecided(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, proxy: str | None
) -> None:
    """A proxy's error page, say. By urllib3, and by the SDK's own client."""
    with answering((status, body)) as base:
        if proxy is not None:
            monkeypatch.setenv("HTTP_PROXY", proxy)
        payments = asking(base)
        monkeypatch.delenv("HTTP_PROXY", raising=False)
        with pytest.raises(OutcomeUnknown):
            payments.charge(planned())
        with pytest.raises(TemporarilyUnavailable) as undecided:
            payments.retrieve_charge("pi_1")
        with pytest.raises(TemporarilyUnavailable) as unlisted:
            list(payments.charges_made(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)))
    assert type(undecided.value) is type(unlisted.value) is TemporarilyUnavailable
    assert "sol" not in repr(undecided.value) + repr(unlisted.value)
