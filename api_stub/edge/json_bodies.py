"""How JSON bodies are read: in UTF-8 and nothing else, and no name twice in one object. Parsers silently take the last of two, so such a
body is refused rather than half obeyed."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from email.message import Message
from itertools import islice
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api_stub.edge.head_requests import HeadRoute
from api_stub.edge.validation import MOST
from api_stub.problems.details import UnreadableBody

Pairs = list[tuple[str, Any]]
Place = tuple[str | int, ...]


class JsonRoute(HeadRoute):
    """A route that notices names given twice in its body. The dependency that asks for the API key reports them (`require_once`)."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_json


class GivenTwice(RequestValidationError):
    """A body gives names twice. Where, is worked out only when `errors` is called: not for a caller without a valid key."""

    def __init__(self, text: str) -> None:
        super().__init__([])
        self._text = text

    def errors(self) -> Sequence[Any]:
        """The first `MOST` of them, and one more if there is. A long body takes a while to go through, so the event loop leaves that to a thread."""
        detail = "appears more than once"
        return [
            {"type": "given_twice", "loc": ("body", *place), "msg": detail}
            for place in islice(_places(self._text), MOST + 1)
        ]


def require_once(request: Request) -> None:
    """Raises GivenTwice where the body gives a name twice in one object."""
    text = getattr(request.state, "given_twice", None)
    if text is not None:
        raise GivenTwice(text)


class _Twice(Exception):
    """A name is given twice in one object."""


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Raises ValueError, or an HTTPException, where the body is not JSON in UTF-8, and UnreadableBody where a number has too many digits."""
        require_unencoded(self)
        if _charset(self.headers.get("Content-Type", "")) not in _UTF_8:
            raise HTTPException(400)
        text = (await self.body()).decode("utf-8-sig")
        try:
            return _decoded(text, _ONCE)
        except _Twice:
            self.state.given_twice = text
            return _decoded(text, _AS_OFTEN_AS_GIVEN)


def require_unencoded(request: Request) -> None:
    """A label that is not undone cannot be true of a body that can be read. Raises HTTPException."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise HTTPException(400)


_UTF_8 = ("utf-8", "utf8", "us-ascii")


def _charset(content_type: str) -> str:
    """What the label says, though JSON has no such parameter: where it is wrong, nobody can know how the text was meant."""
    label = Message()
    label["Content-Type"] = content_type
    return label.get_content_charset("utf-8")


def _once(pairs: Pairs) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Twice
    return made


_ONCE = json.JSONDecoder(object_pairs_hook=_once)
"""made once; json.loads with a hook would make one for each body"""
_AS_OFTEN_AS_GIVEN = json.JSONDecoder()


def _decoded(text: str, decoder: json.JSONDecoder) -> Any:
    """Raises JSONDecodeError, UnreadableBody, and what the decoder's hook raises."""
    try:
        return decoder.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python's own limit: converting the digits takes time that grows with their square
        most = sys.get_int_max_str_digits()
        raise UnreadableBody(f"a whole number in it has more than {most} digits") from None


class _Object(tuple[tuple[str, Any], ...]):
    """An object as it was written, beside the lists that arrays become."""

    __slots__ = ()


class _Inside(NamedTuple):
    """An object or array, linked to the one around it: storing a path for each would take the body's length times its depth."""

    outer: "_Inside | None"
    name: str | int
    value: Any

    def place(self) -> Place:
        names: list[str | int] = []
        inside = self
        while inside.outer is not None:
            names.append(inside.name)
            inside = inside.outer
        return tuple(reversed(names))


def _places(text: str) -> Iterator[Place]:
    """Where a name is given twice, from the outside in."""
    todo = [_Inside(None, "", json.loads(text, object_pairs_hook=_Object))]
    for outer in todo:
        if isinstance(outer.value, _Object):
            yield from ((*outer.place(), name) for name in _twice(outer.value))
        todo += [
            _Inside(outer, name, inner) for name, inner in _members(outer.value) if isinstance(inner, _Object | list)
        ]


def _twice(members: _Object) -> list[str]:
    return [name for name, times in Counter(name for name, _ in members).items() if times > 1]


def _members(value: _Object | list[Any]) -> Iterable[tuple[str | int, Any]]:
    return value if isinstance(value, _Object) else enumerate(value)
