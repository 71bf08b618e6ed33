"""JSON bodies that give a name twice in one object: any parser takes the last silently, so they are refused before half of one is obeyed."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

Pairs = list[tuple[str, Any]]
Place = tuple[str | int, ...]


class JsonRoute(APIRoute):
    """A route whose body is read so that names given twice are noticed. Whoever asks for its key says so (`require_once`)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json


def require_once(request: Request) -> None:
    """Raises RequestValidationError with every name that the body gives twice in one object."""
    text = getattr(request.state, "given_twice", None)
    if text is not None:
        detail = "is given more than once; give it once"
        raise RequestValidationError(
            [{"type": "given_twice", "loc": ("body", *place), "msg": detail} for place in _places(text)]
        )


class _Twice(Exception):
    """A name is given twice in one object."""


class _JsonRequest(Request):
    async def json(self) -> Any:
        body = await self.body()
        text = body.decode(json.detect_encoding(body), "surrogatepass")  # as json.loads does
        try:
            return _ONCE.decode(text)
        except _Twice:
            self.state.given_twice = text
            return json.loads(text)


def _once(pairs: Pairs) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Twice
    return made


_ONCE = json.JSONDecoder(object_pairs_hook=_once)
"""made once; json.loads with a hook would make one for each body"""


class _Object(tuple[tuple[str, Any], ...]):
    """An object as it was written, beside the lists that arrays become."""

    __slots__ = ()


def _places(text: str) -> Iterator[Place]:
    """Where a name is given twice, from the outside in."""
    todo: list[tuple[Place, Any]] = [((), json.loads(text, object_pairs_hook=_Object))]
    for place, value in todo:
        if isinstance(value, _Object):
            yield from ((*place, name) for name, times in Counter(name for name, _ in value).items() if times > 1)
            todo += [((*place, name), inner) for name, inner in value]
        elif isinstance(value, list):
            todo += [((*place, number), inner) for number, inner in enumerate(value)]
