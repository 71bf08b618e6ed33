"""Has a worker enough file descriptors? One without starts, looks ready and does nothing."""

import resource
from typing import Final

import structlog

from models.errors import Explained

log = structlog.get_logger(__name__)

BESIDE: Final = 50
"""that a worker needs before it works on anything"""
FOR_A_THREAD: Final = 3
"""PostgreSQL, Redis, and whom a step asks"""
_HOW: Final = "raise its limit (`ulimit -n`, `LimitNOFILE=` in systemd, `ulimits: nofile` in Docker)"


class TooFewDescriptors(Explained):
    """Nothing could be worked on."""


def check(*, concurrency: int) -> None:
    """Raises TooFewDescriptors where not one delivery could be worked on; warns where not all could that come at once."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = BESIDE + FOR_A_THREAD * concurrency
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return
    if limit < BESIDE + FOR_A_THREAD:
        raise TooFewDescriptors(f"A worker may open {limit} files here, and needs {needed}: {_HOW}.")
    log.warning("worker may open too few files", limit=limit, needed=needed, advice=_HOW)
