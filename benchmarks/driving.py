"""Our end of the line to `benchmarks.driver`."""

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
    """The process that sends the orders ended; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class RemoteDriver:
    process: "subprocess.Popen[str]"
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def prepare(self, orders: int) -> None:
        self._ask(f"prepare {orders}")

    def burst(self, orders: int) -> float:
        return float(self._ask(f"burst {orders}"))

    def alone(self, orders: int) -> list[float]:
        return [float(seconds) for seconds in self._ask(f"alone {orders}")]

    def _ask(self, command: str) -> Any:
        if self.process.stdin is None:
            raise DriverFailed("it was started without a line to it")
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            end = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise DriverFailed(f"the driver ended:\n{end}")
        return json.loads(line)


@contextmanager
def driver(load: str, variables: Mapping[str, str], folder: Path) -> Iterator[RemoteDriver]:
    log = folder / "driver.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.driver", load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env={**os.environ, **variables},
        )
    remote = RemoteDriver(process, log)
    try:
        remote.answer()
        yield remote
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
