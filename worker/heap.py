"""What a process has made by the time it is set up is there to stay: the garbage collector need not look through it again.

A full collection stops every thread of a process while it goes through all that was ever loaded, with our libraries a tenth of a
second, and more while others want the processor. The slowest answers of a sale came a sixth sooner without.
"""

import gc


def settle() -> None:
    """At the end of a process's start; before it forks, so that children share these pages."""
    gc.collect()
    gc.freeze()
