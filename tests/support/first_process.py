"""A process as a container's first one, PID 1 of a namespace of its own: the kernel ignores each signal there that it has no handler for."""

import shutil
import subprocess
from typing import Final

import pytest

AS_FIRST_PROCESS: Final = ("unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
"""what runs it, and ends with its exit status"""


def _is_allowed() -> bool:
    return shutil.which("unshare") is not None and not subprocess.call(
        [*AS_FIRST_PROCESS, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


first_process = pytest.mark.skipif(not _is_allowed(), reason="this machine lets us make no PID namespace (unshare)")
