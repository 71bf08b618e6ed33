"""Our end of the line to a process that is told what to do by lines, and answers each by a line of JSON."""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.failures import MeasurementFailed

LOOKS_EVERY = 0.5
"""seconds"""


class DriverFailed(MeasurementFailed):
    """The process at the other end ended; the message carries the end of its log."""


def nothing() -> None:
    """Watches nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    process: "subprocess.Popen[str]"
    log: Path
    watch: Callable[[], None] = nothing
    """called again and again while an answer is awaited; raises where there will be none"""

    def ask(self, command: str) -> Any:
        """Raises DriverFailed, and whatever `watch` raises."""
        if self.process.stdin is None:
            raise DriverFailed("it was started without a line to it")
        with contextlib.suppress(BrokenPipeError):  # it has ended: its log, which `answer` reads, says why
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        answers = self.process.stdout
        if answers is None:
            raise DriverFailed("it was started without a line from it")
        while not select.select([answers], [], [], LOOKS_EVERY)[0]:
            self._look()
        line = answers.readline()
        if not line:
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise DriverFailed(f"{self.log.stem} ended:\n{end}")
        return json.loads(line)

    def _look(self) -> None:
        try:
            self.watch()
        except Exception:
            self.process.kill()  # it waits for what will not come
            raise


@dataclass(frozen=True, slots=True)
class RemoteDriver:
    """`benchmarks.driver`, which sends the orders."""

    line: Line

    @property
    def pid(self) -> int:
        return self.line.process.pid

    def prepare(self, orders: int) -> None:
        self.line.ask(f"prepare {orders}")

    def burst(self, orders: int) -> float:
        return float(self.line.ask(f"burst {orders}"))

    def alone(self, orders: int) -> list[float]:
        return [float(seconds) for seconds in self.line.ask(f"alone {orders}")]


@contextmanager
def driver(
    load: str, variables: Mapping[str, str], folder: Path, watch: Callable[[], None] = nothing
) -> Iterator[RemoteDriver]:
    with line("benchmarks.driver", load, variables=variables, log=folder / "driver.log", watch=watch) as to_it:
        yield RemoteDriver(to_it)


@contextmanager
def line(
    module: str,
    *arguments: str,
    variables: Mapping[str, str],
    log: Path,
    cwd: Path | None = None,
    grace: float = 10.0,
    watch: Callable[[], None] = nothing,
) -> Iterator[Line]:
    """A process that runs `module`, once it has said that it is ready. grace: seconds it has to end, after the line is closed."""
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env={**os.environ, **variables},
            cwd=cwd,
        )
    to_it = Line(process, log, watch)
    try:
        to_it.answer()
        yield to_it
    finally:
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended, and what it was told last is still in the buffer
                process.stdin.close()
        try:
            process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
