"""The upstream's application: everything under /v1, and what operations ask."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api_stub import openapi
from api_stub.edge.body_limit import KIB, BodyLimit
from api_stub.edge.observing import Observing
from api_stub.edge.validation import invalid_request
from api_stub.event_watch import EventWatch
from api_stub.parts import Parts, from_settings
from api_stub.problems import domain_problems
from api_stub.problems.details import http_problem
from api_stub.relay_thread import Publisher
from api_stub.routes import (
    account_invoices,
    account_list,
    account_money,
    accounts,
    carts,
    catalogue,
    explanations,
    health,
    invoices,
    metrics,
    order_actions,
    order_events,
    orders,
    quotes,
    seats,
    subscriptions,
    webhooks,
)
from worker.webhook_endpoint import WEBHOOK_PATH

WITH_KEY = (
    orders,
    quotes,
    order_actions,
    order_events,
    explanations,
    invoices,
    account_list,
    accounts,
    account_money,
    account_invoices,
    carts,
    subscriptions,
    seats,
    catalogue,
)

LARGEST_BODY = 32 * KIB
"""twice what a cart of fifty lines needs: unknown names cost the event loop half a millisecond for each KiB"""
LARGER_BODIES = {WEBHOOK_PATH: 256 * KIB, "/seats/bulk": 1024 * KIB}
"""by the end of the path"""


def create_app(parts: Callable[[], Parts] = from_settings) -> FastAPI:
    """parts: called when the application starts; tests bring their own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        made = parts()
        app.state.parts = made
        app.state.started = time.monotonic()
        app.state.rate_limit = made.rate_limit
        app.state.publisher = Publisher(made.publish)
        app.state.publisher.start()
        app.state.event_watch = EventWatch()
        yield
        app.state.publisher.stop()

    app = FastAPI(
        title="Prorata",
        version=version("prorata"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,  # a body without a content type counts as JSON: no browser sends an API key by itself
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(BodyLimit, default=LARGEST_BODY, by_ending=LARGER_BODIES)
    app.add_middleware(Observing)  # added last, so it is the outermost
    app.add_exception_handler(HTTPException, http_problem)
    app.add_exception_handler(RequestValidationError, invalid_request)
    domain_problems.install(app)
    app.include_router(webhooks.router)  # the busiest first: routes are tried one after the other
    for module in WITH_KEY:
        app.include_router(module.router)
    for module in (health, metrics):
        app.include_router(module.router)
    openapi.install(app)
    return app
