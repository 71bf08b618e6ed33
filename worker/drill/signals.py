"""Processes of a stack that are stopped for a while, with all they have started, and continued."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from worker.processes import Child
from worker.processes.family import family
from worker.stack import Stack


@contextmanager
def frozen(stack: Stack, *names: str) -> Iterator[int]:
    """SIGSTOP, and SIGCONT at the end; gives how many processes."""
    with ExitStack() as exits:
        yield sum(exits.enter_context(frozen_child(stack.processes.children[name])) for name in names)


@contextmanager
def frozen_child(child: Child) -> Iterator[int]:
    processes = family(child.pid)
    _send(processes, signal.SIGSTOP)
    try:
        yield len(processes)
    finally:
        _send(reversed(processes), signal.SIGCONT)


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
