"""The Stripe stand-in for tests, as a process of its own, and an endpoint that takes its webhooks."""

import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.support.buyer import Buyer, new_buyer
from tests.support.http import SOON_CLOSED
from tests.support.messages import eventually
from tests.support.stand_in_process import StandInProcess
from worker.adapters.stripe import StripePayments

API_KEY = "sk_test_prorata"
WEBHOOK_SECRET = "whsec_for_tests"
ORDERS_PAGE = "https://shop.example/orders"
NOT_BY_ITSELF = 24 * 60 * 60
"""seconds until a bank settles a refund: longer than any test, see `StripeStandIn.banks_settle`"""


class StripeStandIn:
    def __init__(self, folder: Path) -> None:
        flags = ["--port", "0", "--data", str(folder / "stripe.sqlite3"), "--api-key", API_KEY]
        self.process = StandInProcess("api_stub.stand_ins.stripe", flags, folder / "stripe.log")
        self.start()

    def start(self) -> None:
        self.process.start()
        self.url = f"http://{self.process.addresses['http']}"
        self._http = httpx.Client(base_url=f"{self.url}/_control", timeout=240, limits=SOON_CLOSED)

    def restart_after_kill(self) -> None:
        self.process.kill()
        self.start()

    def fail(self, kind: str, operation: str = "*", **limits: Any) -> str:
        """Switch a fault on; returns its id."""
        return str(self.control("faults", kind=kind, operation=operation, **limits)["id"])

    def seen(self, fault: str) -> int:
        """How many requests a fault has struck."""
        faults = self._http.get("/faults").json()
        return next(int(given["seen"]) for given in faults if given["id"] == fault)

    def calm(self) -> None:
        """Nothing fails any more. What was to strike so many times has struck, or the test proves nothing."""
        faults = self._http.get("/faults").raise_for_status().json()
        self._http.delete("/faults").raise_for_status()
        self.control("rate-limit", per_second=None)
        _have_struck(faults)

    def forget(self) -> None:
        """`calm`, and all that was ever made there: tests ask for all of it, again and again, and each would be slower than the one before.
        In one request, as every test ends with it."""
        _have_struck(self._http.delete(f"{self.url}/_control").raise_for_status().json())

    def expire_keys(self) -> None:
        self.control("expire-idempotency-keys")

    def banks_settle(self, holds: Callable[[], bool]) -> bool:
        """Refunds that are pending arrive now, and those that fail come back; whether `holds` then."""
        self.control("settle-after", seconds=0)
        try:
            return eventually(holds)
        finally:
            self.control("settle-after", seconds=NOT_BY_ITSELF)

    def control(self, name: str, **body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(f"/{name}", json=body).raise_for_status().json()
        return answer

    def books(self, customer: str) -> dict[str, list[dict[str, Any]]]:
        """What the stand-in itself knows of a customer; `charges` are only those that took money."""
        books = self._http.get("/books").raise_for_status().json()
        charges = [charge for charge in books["charges"] if charge["customer"] == customer and charge["paid"]]
        ids = {charge["id"] for charge in charges}
        return {
            "charges": charges,
            "payment_intents": [intent for intent in books["payment_intents"] if intent["customer"] == customer],
            "refunds": [refund for refund in books["refunds"] if refund["charge"] in ids],
        }

    def client(self) -> stripe.StripeClient:
        """The plain SDK, with its retries off."""
        return stripe.StripeClient(API_KEY, base_addresses={"api": self.url}, max_network_retries=0)

    def payments(self, **options: Any) -> StripePayments:
        given = {"api_key": API_KEY, "webhook_secret": WEBHOOK_SECRET, "orders_page": ORDERS_PAGE, "api_base": self.url}
        return StripePayments(**given | options)


def _have_struck(faults: Sequence[Mapping[str, Any]]) -> None:
    assert [fault for fault in faults if fault["times"] is not None and fault["seen"] == 0] == []


@contextmanager
def running_stripe(folder: Path) -> Iterator[StripeStandIn]:
    stand_in = StripeStandIn(folder)
    try:
        yield stand_in
    finally:
        stand_in.process.stop()


@pytest.fixture(scope="session")
def shared_stripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeStandIn]:
    with running_stripe(tmp_path_factory.mktemp("stripe")) as stand_in:
        stand_in.control("settle-after", seconds=NOT_BY_ITSELF)
        yield stand_in


@pytest.fixture
def stripe_server(shared_stripe: StripeStandIn) -> Iterator[StripeStandIn]:
    """The shared stand-in; what a test switched on is off again after it, and what it made is forgotten."""
    yield shared_stripe
    shared_stripe.forget()


@pytest.fixture
def payments(stripe_server: StripeStandIn) -> StripePayments:
    return stripe_server.payments()


@pytest.fixture
def buyer(payments: StripePayments) -> Buyer:
    return new_buyer(payments)


@dataclass
class Inbox:
    """An endpoint for webhooks: answers with `answers` first, then always 200."""

    url: str
    received: "queue.Queue[tuple[bytes, str]]" = field(default_factory=queue.Queue)
    answers: list[int] = field(default_factory=list)

    def next(self) -> tuple[bytes, str]:
        """Body and signature of the next delivery."""
        return self.received.get(timeout=240)


@contextmanager
def webhook_inbox() -> Iterator[Inbox]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = inbox.answers.pop(0) if inbox.answers else 200
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            inbox.received.put((body, self.headers["Stripe-Signature"]))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox = Inbox(f"http://127.0.0.1:{server.server_port}/webhooks")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """A port where nobody listens, nor can: it is bound until the test ends, so that no other process is given it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
