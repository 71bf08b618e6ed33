"""Processes of a stack that are stopped for a while, with all they have started, and continued."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from worker.processes import Child
from worker.stack import Stack


@contextmanager
def frozen(stack: Stack, *names: str) -> Iterator[int]:
    """SIGSTOP, and SIGCONT at the end; gives how many processes."""
    with ExitStack() as exits:
        yield sum(exits.enter_context(frozen_child(stack.processes.children[name])) for name in names)


@contextmanager
def frozen_child(child: Child) -> Iterator[int]:
    family = _family(child.pid)
    _send(family, signal.SIGSTOP)
    try:
        yield len(family)
    finally:
        _send(reversed(family), signal.SIGCONT)


def _family(pid: int | None) -> list[psutil.Process]:
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
