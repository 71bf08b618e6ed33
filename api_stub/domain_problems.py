"""What the steps and functions of `tasks` refuse, as answers."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api_stub.problems import Problem, not_found, unavailable
from api_stub.validation import pointer
from models.facts import UnknownAccount
from tasks.carts import CartUnstorable
from tasks.errors import PaymentMethodRefused, TemporarilyUnavailable
from tasks.placement import PlacementRefused
from tasks.seats import SeatsRefused

_ABSENT = {"unknown-quote", "unknown-order", "unknown-subscription"}


def answer_for(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case PlacementRefused() | SeatsRefused():
            facts: dict[str, Any] = dict(error.facts)
            return Problem(404 if error.code in _ABSENT else 409, error.code, str(error), **facts)
        case CartUnstorable():
            errors = [{"pointer": pointer(("lines", *error.field)), "detail": str(error)}]
            return Problem(422, error.code, str(error), errors=errors)
        case PaymentMethodRefused():
            detail = "The payment method was refused; please give another."
            errors = [{"pointer": "/token", "detail": detail}]
            return Problem(422, "payment-method-refused", detail, decline_code=error.code, errors=errors)
        case UnknownAccount():
            return not_found("account")
    return unavailable()


_HANDLED = (
    Problem, PlacementRefused, SeatsRefused, CartUnstorable, PaymentMethodRefused, UnknownAccount,
    TemporarilyUnavailable, OperationalError, PoolTimeout,
)  # fmt: skip


def install(app: FastAPI) -> None:
    for kind in _HANDLED:
        app.add_exception_handler(kind, _answer)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    return answer_for(error).response()
