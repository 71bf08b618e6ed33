"""Standard output as a command may find it: on a full disk, a pipe that nobody reads any more, without some of our letters."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

from models.errors import Explained
from worker.commands.exit_status import NO_ANSWER

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class NotWritten(Explained):
    """Some of what the command says is lost; the message says why."""


@contextmanager
def written() -> Iterator[None]:
    """At the end everything is written; raises NotWritten where it is not, and ends with NO_ANSWER, silently, where nobody reads it any more. What the encoding has no letter for becomes `?`, but not in CSV."""
    stdout = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        stdout.reconfigure(errors="replace")
    try:
        try:
            yield
        except SystemExit:
            if (
                sys.stdout is not stdout
            ):  # typer put another there, and ends with 1, because nobody reads this one any more
                sys.exit(NO_ANSWER)
            raise
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # Python would do so after the exit status is settled
    except OSError as error:
        if error.errno == errno.EPIPE:
            _drop_the_rest()
            sys.exit(NO_ANSWER)
        if error.errno not in _FULL or error.filename is not None:
            raise
        _drop_the_rest()
        raise NotWritten(f"Not everything could be written: {error.strerror}.") from None


def _drop_the_rest() -> None:
    """Or Python would try to write it once more as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
