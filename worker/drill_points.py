"""Where a drill asks this process to die: a file `{place}.{subject}` in its folder is an order to do so at that place, once.

The process that renames the file takes the order; the file's modification time is then when it died. The process sets that time itself: the file system's
clock is up to 10 ms behind, and what was recorded just before would seem to come after. The file's content, if any, names another signal than SIGKILL.
"""

import os
import re
import signal
import threading
import time
from pathlib import Path

from tasks import failure_points

DURING_A_CALL = 0.03
"""seconds from `.calling` to the end: long enough for the request to be out, shorter than a stand-in told to be slow takes"""

TAKEN = "taken"
_FILE_NAME = re.compile(r"[a-z_]+\.[a-z_]+\.[\w-]{1,100}")


def arm(folder: Path | None) -> None:
    """From now on, die where `folder` says so; None: never."""
    failure_points.arm(None if folder is None else lambda place, subject: _die_if_told(folder, place, subject))


def order_death(folder: Path, place: str, subject: object) -> None:
    """The next process that reaches `place` with `subject` dies there."""
    (folder / TAKEN).mkdir(parents=True, exist_ok=True)
    (folder / TAKEN / f"{place}.{subject}").unlink(missing_ok=True)
    (folder / f"{place}.{subject}").touch()


def died_at(folder: Path, place: str, subject: object) -> float | None:
    """When a process died so (seconds since the epoch); None where none has yet."""
    try:
        return (folder / TAKEN / f"{place}.{subject}").stat().st_mtime
    except FileNotFoundError:
        return None


def _die_if_told(folder: Path, place: str, subject: str) -> None:
    name = f"{place}.{subject}"
    if not _FILE_NAME.fullmatch(name):
        return
    now = time.time_ns()
    try:
        os.utime(folder / name, ns=(now, now))
        (folder / name).rename(folder / TAKEN / name)
    except FileNotFoundError:
        return
    wanted = signal.Signals[(folder / TAKEN / name).read_text() or signal.SIGKILL.name]
    if place.endswith(".calling"):
        threading.Timer(DURING_A_CALL, _end_by, [wanted]).start()
    else:
        _end_by(wanted)


def _end_by(wanted: signal.Signals) -> None:
    os.kill(os.getpid(), wanted)
