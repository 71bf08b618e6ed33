"""The query of a request: a name that its route does not have is refused, or a misspelled filter would list everybody's."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def require_known(request: Request) -> None:
    """Raises RequestValidationError with every parameter that the route does not have, and those it has."""
    if not request.scope["query_string"]:
        return
    known = sorted(_names(request.scope["route"].dependant))
    unknown = sorted(request.query_params.keys() - set(known))
    if unknown:
        detail = (
            f"is no parameter here; there are {', '.join(known)}" if known else "is no parameter here; there are none"
        )
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": detail} for name in unknown]
        )


def _names(dependant: Dependant) -> Iterator[str]:
    """Of the route's own parameters, and those of what it depends on."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from _names(each)
