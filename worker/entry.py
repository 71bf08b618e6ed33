"""The `prorata` command from its first moment: `cli` takes a second to import, and meanwhile nothing else says what Ctrl-C does."""

import os
import signal
import sys
from pkgutil import resolve_name
from typing import Any

from worker import first_process, heap
from worker.commands.exit_status import INTERRUPTED


def main() -> None:
    first_process.end_at_term()
    waits = signal.getsignal(signal.SIGINT)
    if waits is signal.default_int_handler:  # else whoever started it has it ignored
        signal.signal(signal.SIGINT, _end)
    with heap.loading():
        run = resolve_name("worker.cli:main")
    signal.signal(signal.SIGINT, waits)
    run()


def _end(*_: Any) -> None:
    """At once: an import may turn a KeyboardInterrupt into other errors, and nothing has begun that needs an orderly end."""
    sys.stderr.write("Interrupted.\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
