"""How far a command is that takes long: told on standard error where that is a terminal, and gone in the end."""

from rich.console import Console
from rich.progress import Progress


def progress() -> Progress:
    screen = Console(stderr=True)
    return Progress(console=screen, transient=True, redirect_stdout=False, disable=not screen.is_terminal)
