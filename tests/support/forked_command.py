"""The `prorata` command in a process of its own that need not import anything: it is forked from one that has, once for all tests."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from worker import cli

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(sorted({where.partition(":")[0] for where in cli.COMMANDS.values()}))


def run_forked(words: Sequence[str], *, env: Mapping[str, str], stdin: int, stdout: int, stderr: int) -> int:
    """Its exit status. The rest: its environment, its working directory and file descriptors for its standard streams."""
    streams = [DupFd(descriptor) for descriptor in (stdin, stdout, stderr)]
    process = _FORKS.Process(target=_run, args=(words, dict(env), Path.cwd(), streams))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(words: Sequence[str], env: Mapping[str, str], folder: Path, streams: Sequence[Any]) -> None:
    for number, stream in enumerate(streams):
        given = stream.detach()
        os.dup2(given, number)
        os.close(given)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - as Python opens them at its start
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    cli.main(words)
