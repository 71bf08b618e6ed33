"""Several child processes, stopped together in reverse order, whatever ends us."""

import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.processes.child import Child, Ready
from worker.processes.ports import reserve_port


class Supervisor:
    """Use it as a context manager; leaving it, by an exception or Ctrl-C too, stops every child, the youngest first.

    with Supervisor(Path(".prorata/run")) as processes:
        port = processes.port()
        processes.start("api", [sys.executable, "-m", "uvicorn", ...], ready=http_ok(f"http://127.0.0.1:{port}/healthz"))

    folder: where each child's `{name}.log` goes. grace: seconds between the stop signal and SIGKILL.
    """

    def __init__(self, folder: Path, *, grace: float = 10.0) -> None:
        self.folder = folder
        self.grace = grace
        self.children: dict[str, Child] = {}
        self._exits = ExitStack()
        self._hurry = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(kind, error, traceback)

    def port(self) -> int:
        """A free loopback port, reserved until this supervisor is left."""
        reservation = reserve_port()
        self._exits.callback(reservation.release)
        return reservation.port

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready: Ready | None = None,
        deadline: float = 90.0,
        restart: bool = False,
    ) -> Child:
        """Start a child and wait until it is ready (seconds: `deadline`). Raises ChildFailed with the end of its log.

        restart: start it again whenever it ends by itself, with growing pauses.
        """
        if name in self.children and self.children[name].running():
            raise ValueError(f"{name} is running already")
        child = Child(
            name=name,
            command=command,
            folder=self.folder,
            env=env or {},
            cwd=cwd,
            grace=self.grace,
            restart=restart,
        )
        self._exits.callback(self._stop, child)
        self.children[name] = child
        child.start(ready=ready, deadline=deadline)
        return child

    def _stop(self, child: Child) -> None:
        try:
            child.stop(now=self._hurry)
        except KeyboardInterrupt:
            self._hurry = True
            raise

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """For drills: send the child itself a signal; after SIGKILL, its descendants are gone as well when this returns."""
        self.children[name].kill(number)
