"""The query of a request: a parameter unknown to its route is refused, or a misspelled filter would list everything. So is one that
is given twice, of which only the last would count."""

from collections import Counter
from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def require_known_once(request: Request) -> None:
    """Raises RequestValidationError that names every parameter unknown to the route, with the known ones, and every one given twice."""
    if not request.scope["query_string"]:
        return
    known = sorted(_names(request.scope["route"].dependant))
    given = Counter(name for name, _ in request.query_params.multi_items())
    wrong = {name: "appears more than once" for name, times in given.items() if times > 1}
    there_are = f"there are {', '.join(known)}" if known else "there are none"
    wrong |= dict.fromkeys(given.keys() - set(known), f"is not a parameter here; {there_are}")
    if wrong:
        raise RequestValidationError(
            [{"type": "query", "loc": ("query", name), "msg": wrong[name]} for name in sorted(wrong)]
        )


def _names(dependant: Dependant) -> Iterator[str]:
    """The names of the route's own parameters, and of its dependencies'."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from _names(each)
