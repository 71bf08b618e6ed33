"""Stands between us and one child process, and takes the child and all its descendants down when we are gone.

Run as a script with nothing but the standard library, so that it starts in milliseconds. Our end of its standard input is the
leash: it reads end-of-file the moment our process ends, however it ended (`kill -9` too), stops the child, then kills whatever
the child left behind. On Linux it adopts orphaned descendants (a subreaper), so that one which made its own session is found
too, and the child dies with the keeper; elsewhere it reaches only the child's process group.

Signals to the keeper: TERM stops the child with its stop signal and kills after `--grace` seconds; QUIT kills at once.
"""

import argparse
import contextlib
import ctypes
import os
import pwd
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
FIRST_PAUSE = 0.2
"""seconds before the first restart; doubled each time"""
LONGEST_PAUSE = 10.0
"""seconds"""
SETTLED_AFTER = 10.0
"""seconds of uptime after which the pauses start over"""


class Keeper:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.child = 0
        self.parent = os.getppid()
        self.kill_at: float | None = None
        """When to send SIGKILL; None while nobody wants the child stopped."""
        self.wake, wake_writer = os.pipe()
        for end in (self.wake, wake_writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> int:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = self.run_once()
            if not self.options.restart or self.told_to_end():
                return code
            if time.monotonic() - began > SETTLED_AFTER:
                pause = FIRST_PAUSE
            say(f"{self.options.name} ended with status {code}; starting it again in {pause:.1f} s")
            resume_at = time.monotonic() + pause
            while (left := resume_at - time.monotonic()) > 0:
                self.wait(left)
                if self.told_to_end():
                    return code
            pause = min(pause * 2, LONGEST_PAUSE)

    def told_to_end(self) -> bool:
        return self.kill_at is not None

    def run_once(self) -> int:
        self.child = launch(self.options)
        self.write_pid()
        asked = False
        while (code := self.reap()) is None:
            if self.kill_at is not None and not asked:
                self.signal_child(self.options.stop_signal)
                asked = True
            if self.kill_at is not None and time.monotonic() >= self.kill_at:
                self.signal_child(signal.SIGKILL)
            self.wait(1.0 if self.kill_at is None else min(1.0, max(0.02, self.kill_at - time.monotonic())))
        self.kill_what_is_left()
        Path(self.options.pid_file).unlink(missing_ok=True)
        return code

    def wait(self, seconds: float) -> None:
        """Wait for a signal, our parent's end, or until `seconds` have passed; sets `kill_at` where the child is to be stopped."""
        leash = [] if self.kill_at is not None else [0]
        readable, _, _ = select.select([*leash, self.wake], [], [], seconds)
        signals = os.read(self.wake, 512) if self.wake in readable else b""
        orphaned = (0 in readable and not os.read(0, 512)) or os.getppid() != self.parent
        if signal.SIGQUIT in signals:
            self.kill_at = 0.0
        elif self.kill_at is None and (orphaned or signal.SIGTERM in signals):
            self.kill_at = time.monotonic() + self.options.grace

    def reap(self) -> int | None:
        """Collect the dead, adopted ones too; the child's exit status once it is among them (128 + n after signal n)."""
        code = None
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.child:
                    status = os.waitstatus_to_exitcode(ended[1])
                    code = status if status >= 0 else 128 - status
        return code

    def signal_child(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, number)

    def kill_what_is_left(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child, signal.SIGKILL)
        give_up_at = time.monotonic() + 5
        while (left := list(descendants(os.getpid()))) and time.monotonic() < give_up_at:
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            select.select([self.wake], [], [], 0.02)
            self.reap()

    def write_pid(self) -> None:
        file = Path(self.options.pid_file)
        draft = file.with_suffix(".pid.new")
        draft.write_text(f"{self.child}\n")
        draft.replace(file)


def descendants(ancestor: int) -> Iterator[int]:
    """Linux only; elsewhere none."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*") if LINUX else ():
        with contextlib.suppress(OSError):
            after_name = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(folder.name))
    queue = [ancestor]
    while queue:
        found = children.get(queue.pop(), [])
        yield from found
        queue += found


def launch(options: argparse.Namespace) -> int:
    keeper = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if options.user:
            become(options.user)
        if LINUX:  # after the change of user, which would clear it
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)
        os.execvp(options.command[0], options.command)  # noqa: S606  (the command is ours; there is no shell on purpose)
    except OSError as error:
        say(f"cannot run {options.command[0]}: {error.strerror}")
    finally:
        os._exit(127)


def become(name: str) -> None:
    """Another user, for servers that refuse to run as root.

    On Linux it keeps one capability, CAP_DAC_OVERRIDE, to pass folders closed to it (a clone or scratch folder below a closed home folder, say).
    """
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    if LINUX:
        prctl(PR_SET_SECUREBITS, 1 << 2)  # keep capabilities over setuid, and let access(2) respect them
    os.setuid(user.pw_uid)
    if LINUX:
        dac_override = 1
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        rights = (ctypes.c_uint32 * 6)(*[1 << dac_override] * 3, 0, 0, 0)
        ctypes.CDLL(None).capset(header, rights)
        prctl(PR_CAP_AMBIENT, 2, dac_override)


def prctl(option: int, *arguments: int) -> None:
    """Best effort: where the kernel says no, the leash still holds."""
    padded = [*arguments, 0, 0, 0][:4]
    ctypes.CDLL(None).prctl(option, *(ctypes.c_ulong(value) for value in padded))


def say(message: str) -> None:
    sys.stderr.write(f"-- {time.strftime('%H:%M:%S')} {message}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--pid-file", required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("--stop-signal", type=int, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("command", nargs="+")
    if LINUX:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    return Keeper(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
