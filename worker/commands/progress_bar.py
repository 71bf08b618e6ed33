"""How far a command is that takes long: told on standard error where that is a terminal, and gone in the end."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from tasks.closing.document_lines import DocumentLine
from tasks.closing.documents import DocumentLevy

Told = TypeVar("Told", DocumentLevy, DocumentLine)


def progress(*, beside_rows: bool = False) -> Progress:
    """beside_rows: what is read is printed meanwhile; on a terminal that tells enough."""
    screen = Console(stderr=True)
    hidden = not screen.is_terminal or (beside_rows and sys.stdout.isatty())
    return Progress(console=screen, transient=True, redirect_stdout=False, disable=hidden)


@contextmanager
def waiting_for_mail_server() -> Iterator[None]:
    """Its answer may take minutes."""
    screen = Console(stderr=True)
    with screen.status("waiting for the mail server") if screen.is_terminal else nullcontext():
        yield


def by_document(shown: Progress, rows: Iterable[Told], total: int) -> Iterator[Told]:
    """The rows; total: of how many documents."""
    for _, of_one in shown.track(groupby(rows, attrgetter("number")), total, description="reading"):
        yield from of_one
