"""A stand-in as its own process on free ports, as production would see it: started, killed, started again.

It is on a leash: however these tests end, it ends with them.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from worker.processes.child import Child

ROOT = Path(__file__).parents[2]


@dataclass
class StandInProcess:
    module: str
    flags: list[str]
    log: Path
    """what it writes; shown where it does not come up"""
    addresses: dict[str, str] = field(default_factory=dict)
    """`http` and, for the mailbox, `smtp`: host:port"""
    _child: Child | None = None

    def start(self) -> None:
        """Returns once it answers. The ports it got the first time are its ports from then on."""
        command = [sys.executable, "-m", self.module, *self.flags]
        self._child = Child(name=self.log.stem, command=command, folder=self.log.parent, cwd=ROOT)
        self._child.start(ready=lambda child: "http" in _addresses(child), deadline=120)
        self.addresses = _addresses(self._child)
        # The port is open from before its address was written, so this waits for the answer, not for the port.
        httpx.get(f"http://{self.addresses['http']}/healthz", timeout=240).raise_for_status()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """`kill -9`: no chance to write anything."""
        if self._child is not None:
            self._child.kill()


def _addresses(child: Child) -> dict[str, str]:
    """What it has said since its start, once that line is whole."""
    whole, _, _ = child.output().rpartition("\n")
    said = next((line for line in whole.splitlines() if "http://" in line), "")
    return dict(re.findall(r"(http|smtp)://([^/\s]+)", said))
