"""The stand-in as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api_stub.stand_ins.stripe import control
from api_stub.stand_ins.stripe.authentication_page import AuthenticationPage
from api_stub.stand_ins.stripe.gate import Gate
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.rate_limit import RateLimit
from api_stub.stand_ins.stripe.store import Store
from api_stub.stand_ins.stripe.webhooks import delivering

EVENTS = ",".join([
    "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.requires_action",
    "payment_intent.processing", "refund.*", "charge.refunded", "charge.dispute.created", "charge.dispute.updated",
    "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.closed",
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path
    api_keys: frozenset[str]
    webhook_url: str | None = None
    webhook_secret: str | None = None
    webhook_events: str | None = None
    latency: float = 0.0
    public_url: str | None = None
    rate_limit: int | None = None

    def apply(self, ledger: Ledger) -> None:
        """Settings given now override those kept in the data file."""
        for name in ("webhook_url", "webhook_secret", "webhook_events"):
            if value := getattr(self, name):
                ledger.set(name, value)
        if not ledger.setting("webhook_events"):
            ledger.set("webhook_events", EVENTS)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Stripe's own paths go straight to the gate, which reads them itself; the rest is the application's."""

    gate: Gate
    rest: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            answer = await self.gate.handle(Request(scope, receive, send))
            await answer(scope, receive, send)
        else:
            await self.rest(scope, receive, send)


def create_app(settings: Settings) -> ASGIApp:
    store = Store(settings.data)
    gate = Gate(
        store,
        settings.api_keys,
        public_url=settings.public_url,
        latency=settings.latency,
        rate_limit=RateLimit(settings.rate_limit),
    )
    page = AuthenticationPage(store)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await store.run(settings.apply)
        async with delivering(store) as app.state.postman:
            yield
        store.close()

    app = FastAPI(title="Stripe stand-in", lifespan=lifespan)
    app.state.gate = gate
    app.include_router(control.routes)
    app.add_route("/authenticate/{intent}", page.show, methods=["GET"])
    app.add_route("/authenticate/{intent}", page.answer, methods=["POST"])

    @app.get("/healthz")
    async def healthz(response: Response) -> dict[str, str]:
        await store.run(lambda ledger: ledger.setting("webhook_url"))
        if app.state.postman.done():
            response.status_code = 503
            return {"status": "webhooks are no longer delivered"}
        return {"status": "ok"}

    return Entrance(gate, app)
