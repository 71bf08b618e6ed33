"""Who ended first: where PostgreSQL or a worker is gone, the errors of those that needed it are only what follows."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from worker.processes import Child, ChildFailed

SHOWS_WITHIN = 1.0
"""seconds until a child that has ended is known to have: whoever was connected to it may notice earlier"""


@contextmanager
def naming_the_first(children: Callable[[], Iterable[Child]]) -> Iterator[Callable[[], None]]:
    """Turns an error in the block into ChildFailed if one of `children` ended by itself. Gives a function that raises it as soon as one has.

    children: those that others need come first.
    """

    def watch() -> None:
        for child in children():
            if child.ended_by_itself():
                raise ChildFailed(child.obituary("ended by itself"))

    try:
        yield watch
    except Exception as error:
        give_up_at = time.monotonic() + SHOWS_WITHIN
        while time.monotonic() < give_up_at:
            try:
                watch()
            except ChildFailed as first:
                raise first from error
            time.sleep(0.05)
        raise
