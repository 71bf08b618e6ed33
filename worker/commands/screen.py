"""Where tables are printed."""

from rich.console import Console

WIDE = 170
"""columns for a table with one line a row"""


def console() -> Console:
    """Standard output; where that is no terminal, wide enough for every line."""
    made = Console()
    return made if made.is_terminal else Console(width=WIDE)
