"""Where tables are printed, and whether they are whole."""

from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.markup import escape

from tasks.plain_text import one_line

WIDE = 170
"""columns for a table with one line a row"""


def console() -> Console:
    """Standard output; where that is no terminal, wide enough for every line."""
    made = Console()
    return made if made.is_terminal else Console(width=WIDE)


def tell_if_cut(shown: int, limit: int) -> None:
    """On standard error, where it is in no program's way."""
    if shown == limit:
        typer.echo(f"The first {limit}: there may be more, see --limit.", err=True)


def plain(text: str) -> str:
    """What a customer or a file has written, as a table is to show it: no markup, and nothing that steers the terminal."""
    return escape(one_line(text))


def moment(at: datetime) -> str:
    """In UTC, as every table and its heading say."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
