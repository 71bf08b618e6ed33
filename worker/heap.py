"""What a process has allocated by the time it is set up is there to stay: the garbage collector need not go through it again.

A full collection stops every thread of a process while it goes through everything loaded: a tenth of a second with our libraries,
more while others want the processor. The slowest answers are those that wait for it.
"""

import gc


def freeze() -> None:
    """At the end of a process's start; before it forks, so that children share these pages."""
    gc.collect()
    gc.freeze()
