"""The query of a request: a parameter unknown to its route is refused, or a misspelled filter would list everything. So is one that
is given twice, of which only the last would count, unless it is a list."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def require_known_once(request: Request) -> None:
    """Raises RequestValidationError that names every parameter unknown to the route, with the known ones, and every single one given twice."""
    if not request.scope["query_string"]:
        return
    takes_several = dict(_parameters(request.scope["route"].dependant))
    known = sorted(takes_several)
    given = Counter(name for name, _ in request.query_params.multi_items())
    twice = [name for name, times in given.items() if times > 1 and not takes_several.get(name)]
    wrong = dict.fromkeys(twice, "appears more than once")
    there_are = f"there are {', '.join(known)}" if known else "there are none"
    wrong |= dict.fromkeys(given.keys() - set(known), f"is not a parameter here; {there_are}")
    if wrong:
        raise RequestValidationError(
            [{"type": "query", "loc": ("query", name), "msg": wrong[name]} for name in sorted(wrong)]
        )


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The route's own parameters, and its dependencies'; of each, whether it is a list."""
    yield from ((each.alias, _is_list(each.field_info.annotation)) for each in dependant.query_params)
    for each in dependant.dependencies:
        yield from _parameters(each)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(each) is list for each in (annotation, *get_args(annotation)))
