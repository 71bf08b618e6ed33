"""What the steps and functions of `tasks` refuse, as answers."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api_stub.problems.details import Problem, not_found, unavailable
from models.cart_facts import UnknownAccount
from tasks.errors import TemporarilyUnavailable
from tasks.placement import RequestRefused
from tasks.upstream.seats import SeatsRefused

_ABSENT = {"unknown-quote", "unknown-order", "unknown-subscription"}


def answer_for(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case RequestRefused() | SeatsRefused():
            facts: dict[str, Any] = dict(error.facts)
            return Problem(404 if error.code in _ABSENT else 409, error.code, str(error), **facts)
        case UnknownAccount():
            return not_found("account")
        case TemporarilyUnavailable():
            return unavailable(retry_after=error.retry_after)
    return unavailable()


_HANDLED = (
    Problem, RequestRefused, SeatsRefused, UnknownAccount,
    TemporarilyUnavailable, OperationalError, PoolTimeout,
)  # fmt: skip


def install(app: FastAPI) -> None:
    for kind in _HANDLED:
        app.add_exception_handler(kind, _answer)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    return answer_for(error).response()
