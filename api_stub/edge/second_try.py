"""A request that finds its connection to PostgreSQL outdated is handled once more, on a new one, instead of being answered with 503.

A migration that alters the type of a column makes PostgreSQL refuse, once for each connection, the statements that it has prepared; a
server that has become a standby refuses writes (`models.prepared.is_outdated`).
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from models.prepared import is_outdated


class SecondTryRoute(APIRoute):
    """A route that does what the caller would do with the 503: it asks again. Every operation may be repeated after one, because what
    failed was rolled back, and what was committed or asked of Stripe before is found done."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_twice(request: Request) -> Response:
            try:
                return await handle(request)
            except OperationalError as error:
                if not is_outdated(error.orig):
                    raise
            return await handle(request)  # the request has kept its body, and nothing has been answered

        return handle_twice
