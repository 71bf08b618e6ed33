"""The headers that a route takes: one that is given twice is refused, as nobody can know which was meant."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def require_headers_once(request: Request) -> None:
    """Raises RequestValidationError that names every header of the route that is given twice."""
    taken = dict.fromkeys(_names(request.scope["route"].dependant))  # two readers of a header are one name
    twice = [name for name in taken if len(request.headers.getlist(name)) > 1]
    if twice:
        detail = "appears more than once"
        raise RequestValidationError(
            [{"type": "given_twice", "loc": ("header", name), "msg": detail} for name in twice]
        )


def _names(dependant: Dependant) -> Iterator[str]:
    """The names of the route's own headers, and of its dependencies'."""
    yield from (parameter.alias for parameter in dependant.header_params)
    for each in dependant.dependencies:
        yield from _names(each)
