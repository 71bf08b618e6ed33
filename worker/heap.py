"""What a process has allocated by the time it is set up is there to stay: the garbage collector need not go through it again.

A full collection stops every thread of a process while it goes through everything loaded: a tenth of a second with our libraries,
more while others want the processor. The slowest answers are those that wait for it.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def freeze() -> None:
    """At the end of a process's start; before it forks, so that children share these pages."""
    gc.collect()
    gc.freeze()


@contextmanager
def loading() -> Iterator[None]:
    """Import in the block without looking for garbage, of which there is none: that takes a fifth of a command's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
