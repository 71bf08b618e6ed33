"""Our end of the line to a process that is told what to do by lines, and answers each by a line of JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DriverFailed(Exception):
    """The process at the other end ended; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Line:
    process: "subprocess.Popen[str]"
    log: Path

    def ask(self, command: str) -> Any:
        """Raises DriverFailed."""
        if self.process.stdin is None:
            raise DriverFailed("it was started without a line to it")
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise DriverFailed(f"{self.log.stem} ended:\n{end}")
        return json.loads(line)


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
def driver(load: str, variables: Mapping[str, str], folder: Path) -> Iterator[RemoteDriver]:
    with line("benchmarks.driver", load, variables=variables, log=folder / "driver.log") as to_it:
        yield RemoteDriver(to_it)


@contextmanager
def line(
    module: str, *arguments: str, variables: Mapping[str, str], log: Path, cwd: Path | None = None, grace: float = 10.0
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
    to_it = Line(process, log)
    try:
        to_it.answer()
        yield to_it
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
