"""One child process with its log, kept on a leash by `keeper`."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from models.errors import Explained
from worker.processes.family import family

KEEPER = Path(__file__).with_name("keeper.py")


class ChildFailed(Explained):
    """A child process ended, or did not become ready; the message carries the end of its log."""


class NotReady(ChildFailed):
    """The deadline passed while the child was still running."""


@dataclass(kw_only=True, eq=False)
class Child:
    """`start` it, `stop` it, `kill` it, `start` it again.

    env is laid over our own environment. user: another system user to run as (for root only).
    grace: seconds between the stop signal and SIGKILL. restart: start it again whenever it ends by itself, with growing pauses.
    """

    name: str
    command: Sequence[str]
    folder: Path
    """where `{name}.log` and, while it runs, `{name}.pid` are"""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    restart: bool = False
    _keeper: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)
    _told_to_end: bool = field(default=False, init=False, repr=False)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The child's own, None while there is none (ended, or between two starts)."""
        try:
            return int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def running(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is None

    def ended_by_itself(self) -> bool:
        return self._keeper is not None and self._keeper.poll() is not None and not self._told_to_end

    def start(self, *, ready: "Ready | None" = None, deadline: float = 90.0) -> None:
        """Returns once `ready` says so. Raises ChildFailed if it ends before, NotReady after `deadline` seconds; both stop it."""
        if self.running():
            raise ValueError(f"{self.name} is running already")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)
        self._told_to_end = False
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._keeper = subprocess.Popen(  # noqa: S603  (our own command, no shell)
                self._keeper_command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                env={**os.environ, **self.env},
                start_new_session=True,  # Ctrl-C reaches us alone; we stop the children, in order
            )
        try:
            self._await(ready or (lambda child: child.pid is not None), deadline)
        except BaseException:
            self.stop(now=True)
            raise

    def run(self, *, timeout: float = 120.0) -> str:
        """For one that does its work and ends. Returns what it wrote. Raises ChildFailed unless it ends with 0 in time."""
        self.start(ready=lambda child: not child.running(), deadline=timeout)
        if self.wait() != 0:
            raise ChildFailed(self.obituary("failed"))
        return self.output()

    def _keeper_command(self) -> list[str]:
        options = {
            "--name": self.name,
            "--pid-file": str(self._pid_file.absolute()),
            "--grace": str(self.grace),
            "--stop-signal": str(int(self.stop_signal)),
            "--user": self.user or "",
        }
        flags = [f"{option}={value}" for option, value in options.items()] + ["--restart"] * self.restart
        return [sys.executable, "-I", "-S", str(KEEPER), *flags, "--", *map(str, self.command)]

    def _await(self, ready: "Ready", deadline: float) -> None:
        give_up_at = time.monotonic() + deadline
        first_pid: int | None = None
        while not ready(self):
            first_pid = first_pid or self.pid
            died = not self.running() or (self.restart and first_pid is not None and self.pid != first_pid)
            if died and not ready(self):
                raise ChildFailed(self.obituary("ended before it was ready"))
            if time.monotonic() > give_up_at:
                raise NotReady(self.obituary(f"was not ready after {deadline:g} s"))
            time.sleep(0.02)

    def obituary(self, what: str) -> str:
        """A sentence about it for a person, with its command and the end of its log."""
        status = self._keeper.poll() if self._keeper else None
        return "\n".join(
            [
                f"{self.name} {what}" + (f" (exit status {status})" if status is not None else ""),
                f"  command: {' '.join(map(str, self.command))}",
                f"  log: {self.log}",
                *(f"  | {line}" for line in self.tail()),
            ]
        )

    def output(self) -> str:
        """What it has written to its log since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self) -> list[str]:
        """The last lines of that."""
        return self.output().splitlines()[-20:] if self.log.exists() else []

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the child itself a signal. After SIGKILL, returns when it and all it had started are gone."""
        pid = self.pid
        if pid is None:
            raise ChildFailed(self.obituary("is not running"))
        self._told_to_end = True
        victims = [process for process in family(pid) if number == signal.SIGKILL]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        psutil.wait_procs(victims, timeout=10)
        if number == signal.SIGKILL and not self.restart and self._keeper is not None:
            self._keeper.wait(timeout=10)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, 128 + n if signal n ended it. Raises subprocess.TimeoutExpired."""
        if self._keeper is None:
            raise ValueError(f"{self.name} was never started")
        return self._keeper.wait(timeout)

    def stop(self, *, now: bool = False) -> None:
        """Ask it to end, kill it after `grace` seconds (`now`: at once), and all it had started; no-op if it is not running."""
        if self._keeper is None:
            return
        self._told_to_end = True
        keeper = self._keeper
        keeper.send_signal(signal.SIGQUIT if now else signal.SIGTERM)
        try:
            keeper.wait(timeout=(0 if now else self.grace) + 6)
        except BaseException as error:  # impatience (a second Ctrl-C) or a stuck keeper: leave nobody behind either way
            for process in family(keeper.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            keeper.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
        finally:
            if keeper.stdin:
                keeper.stdin.close()


Ready = Callable[[Child], bool]


_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""for plain HTTP: the client would otherwise read the machine's authorities each time, for as long as ten looks take"""


def http_ok(url: str) -> Ready:
    """Ready once `url`, which is plain HTTP, answers 200."""

    def ready(_: Child) -> bool:
        try:
            return httpx.get(url, timeout=1.0, trust_env=False, verify=_TRUSTS_NOBODY).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return ready


def log_says(text: str) -> Ready:
    """Ready once `text` stands in what it has written since its start."""
    return lambda child: text in child.output()
