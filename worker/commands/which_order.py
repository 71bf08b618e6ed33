"""The order that a person names on the command line."""

from typing import Annotated
from uuid import UUID

import typer

from tasks.operating import order_story
from tasks.wiring import begin

WHICH = typer.Argument(
    metavar="ORDER",
    help="its number, its id, or the number of one of its documents, e.g. INV-2026-000001",
    show_default=False,
)
Which = Annotated[str, WHICH]


def order_named(which: str) -> UUID:
    """Raises UnknownOrder."""
    with begin() as session:
        return order_story.find(session, which)
