"""Processes of a stack that are stopped for a while, with all they have started, and continued."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from worker.stack import Stack


@contextmanager
def frozen(stack: Stack, name: str) -> Iterator[int]:
    """SIGSTOP, and SIGCONT at the end; gives how many processes."""
    family = _family(stack, name)
    _send(family, signal.SIGSTOP)
    try:
        yield len(family)
    finally:
        _send(reversed(family), signal.SIGCONT)


def _family(stack: Stack, name: str) -> list[psutil.Process]:
    pid = stack.processes.children[name].pid
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(processes: "Iterator[psutil.Process] | list[psutil.Process]", number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
