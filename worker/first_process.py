"""The first process of a container, PID 1: there the kernel ignores every signal that has no handler, and SIGKILL from inside."""

import os
import signal


def end_at_term() -> None:
    """For as long as nothing else says what TERM does: while a process imports, or waits for its database. Elsewhere the kernel ends it."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def hold_term() -> None:
    """Until the program that this one is about to become calls `end_at_term`: it begins without handlers."""
    if os.getpid() == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def end_at_once() -> None:
    """Whatever other threads do; the kernel ends with PID 1 all that it has started."""
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(128 + signal.SIGKILL)
