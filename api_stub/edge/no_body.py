"""Operations that take no body: what one would say, nobody reads, so it is refused rather than ignored."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError


async def _require_none(request: Request) -> None:
    """An empty object says nothing: some clients send one with every POST. Raises RequestValidationError."""
    said = b"".join((await request.body()).split())
    if said not in (b"", b"{}"):
        detail = "must be left out: this operation takes no body"
        raise RequestValidationError([{"type": "no_body", "loc": ("body",), "msg": detail}])


NoBody = Annotated[None, Depends(_require_none)]
"""stands after the caller, so that nothing is said to whoever may not ask"""
