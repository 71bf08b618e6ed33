"""The application over the world of tests/support: real PostgreSQL, Redis and Stripe's stand-in; no workers, steps are run by hand."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from api_stub import broker_check
from api_stub.app import create_app
from api_stub.edge.rate_limit import RateLimit
from api_stub.edge.request_head import LimitedHead
from api_stub.parts import Parts
from tasks.upstream import api_keys
from tasks.upstream.api_keys import Scope
from tests.support import world as worlds
from tests.support.contract import require_documented
from tests.support.world import Customer, World
from worker.embedded import RedisServer


@dataclass
class Published:
    """Counts how often the outbox was to be published."""

    times: int = 0

    def __call__(self) -> int:
        self.times += 1
        return 0


@dataclass
class Api:
    """An upstream with a key for some accounts."""

    world: World
    client: TestClient
    published: Published
    key: str = ""
    accounts: list[Customer] = field(default_factory=list)

    def key_for(self, *customers: Customer, scopes: Sequence[str] = tuple(Scope), name: str | None = None) -> str:
        with self.world.begin() as session:
            return api_keys.issue(
                session,
                name=name or uuid4().hex,
                scopes=list(scopes),
                account_ids=[customer.account_id for customer in customers],
                by="root",
            ).key

    def use(self, *customers: Customer, scopes: Sequence[str] = tuple(Scope)) -> None:
        """From now on ask with a key for these."""
        self.key = self.key_for(*customers, scopes=scopes)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        answer: httpx.Response = self.client.request(method, path, headers=headers, **options)
        require_documented(answer)
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self("POST", path, json=json, **options)

    def quote(self, customer: Customer, *lines: dict[str, Any], **other: Any) -> httpx.Response:
        body = {"account_id": str(customer.account_id), "contact_id": str(customer.contact_id), "lines": list(lines)}
        return self.post("/v1/quotes", body | other)

    def place(self, customer: Customer, quote_id: str, key: str | None = None) -> httpx.Response:
        body = {"account_id": str(customer.account_id), "quote_id": quote_id}
        return self.post("/v1/orders", body, headers={"Idempotency-Key": key or uuid4().hex})

    def order(self, customer: Customer, *lines: dict[str, Any]) -> str:
        """Quote and place; the order's id."""
        quoted = self.quote(customer, *lines)
        assert quoted.status_code == 201, quoted.text
        placed = self.place(customer, quoted.json()["id"])
        assert placed.status_code == 201, placed.text
        return str(placed.json()["id"])


def purchase(product: str = "desk", tier: str = "team", seats: int = 10, interval: str = "month") -> dict[str, Any]:
    return {"action": "purchase", "product": product, "tier": tier, "seats": seats, "interval": interval}


def change(product: str = "desk", **to: Any) -> dict[str, Any]:
    return {"action": "change", "product": product, **to}


def trial(product: str = "desk", tier: str = "team", seats: int = 5) -> dict[str, Any]:
    return {"action": "trial", "product": product, "tier": tier, "seats": seats}


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and the last part of the problem's type."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert set(body) >= {"type", "title", "status", "detail"}
    return answer.status_code, body["type"].removeprefix("https://prorata.example/problems/")


class Desk:
    """A subscription with three seats."""

    def __init__(self, world: World, api: Api, customer: Customer) -> None:
        self.api, self.customer = api, customer
        world.buy(customer, worlds.purchase(seats=3))
        self.path = f"/v1/subscriptions/{world.subscription(customer, 'desk').id}/seats"

    def assign(self, user: str) -> tuple[int, str]:
        return self._change("assign", user)

    def unassign(self, user: str) -> tuple[int, str]:
        return self._change("unassign", user)

    def _change(self, action: str, user: str) -> tuple[int, str]:
        answer = self.api.post(f"{self.path}/{action}", {"email": user})
        return (200, answer.json()["result"]) if answer.status_code == 200 else problem(answer)

    def upload(self, *lines: str, header: str = "email,action", media_type: str = "text/csv") -> httpx.Response:
        content = "\r\n".join((header, *lines)) + "\r\n"
        return self.api.post(f"{self.path}/bulk", content=content.encode(), headers={"Content-Type": media_type})

    def users(self) -> set[str]:
        return {user["email"] for user in self.api.get(self.path).json()["users"]}


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def client(world: World, redis_server: RedisServer, published: Published) -> Iterator[TestClient]:
    parts = Parts(
        rate_limit=RateLimit("100000/minute", redis_server.url),
        publish=published,
        require_broker=lambda: broker_check.require_writes(redis_server.url),
        secure=True,
    )
    with TestClient(create_app(lambda: parts), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def live(redis_server: RedisServer, world: World) -> Iterator[str]:
    """The application on a port of its own. A connection that nothing else ends lasts longer than any test."""
    parts = Parts(RateLimit("100000/minute", redis_server.url), lambda: 0, lambda: None, secure=False)
    app = create_app(lambda: parts)
    server = uvicorn.Server(
        uvicorn.Config(app, http=LimitedHead, log_config=None, timeout_graceful_shutdown=2, timeout_keep_alive=600)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=60)


@pytest.fixture
def api(world: World, client: TestClient, published: Published) -> Api:
    return Api(world, client, published)


@pytest.fixture
def ada(world: World, api: Api) -> Customer:
    """A customer that `api` may act for."""
    customer = world.customer()
    api.use(customer)
    return customer


@pytest.fixture
def desk(world: World, api: Api, ada: Customer) -> Desk:
    return Desk(world, api, ada)


def state(api: Api) -> Any:
    return api.client.app.state  # type: ignore[attr-defined]
