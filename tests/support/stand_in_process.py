"""A stand-in as its own process on free ports, as production would see it: started, killed, started again."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).parents[2]


@dataclass
class StandInProcess:
    module: str
    flags: list[str]
    log: Path
    """what it writes to stderr; shown where it does not come up"""
    addresses: dict[str, str] = field(default_factory=dict)
    """`http` and, for the mailbox, `smtp`: host:port"""
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns once it answers. The ports it got the first time are its ports from then on."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.flags],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self._process.stdout is not None
        self.addresses = _addresses(self._process.stdout, self.log)
        # The port is open from before the line above was written, so this waits for the answer, not for the port.
        httpx.get(f"http://{self.addresses['http']}/healthz", timeout=20).raise_for_status()

    def stop(self) -> None:
        self._end(terminate=True)

    def kill(self) -> None:
        """`kill -9`: no chance to write anything."""
        self._end(terminate=False)

    def _end(self, *, terminate: bool) -> None:
        if self._process is None:
            return
        self._process.terminate() if terminate else self._process.kill()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


def _addresses(stdout: IO[str], log: Path) -> dict[str, str]:
    line = stdout.readline()
    found = dict(re.findall(r"(http|smtp)://([^/\s]+)", line))
    if "http" not in found:
        raise AssertionError(f"it did not come up: {line!r}\n{log.read_text()}")
    return found
