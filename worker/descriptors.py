"""Has a worker enough file descriptors? One without starts, looks ready and does nothing."""

import resource
from typing import Final

import structlog

from models.errors import Explained
from worker.command_lines import Pool

log = structlog.get_logger(__name__)

BESIDE: Final = 50
"""that a worker needs before it works on anything"""
FOR_A_THREAD: Final = 3
"""PostgreSQL, Redis, and whom a step asks"""
FOR_A_CHILD: Final = 6
"""that a pool of processes needs for each: pipes and semaphores, all of them when it starts (counted with 10, 30 and 60 children)"""
_HOW: Final = "raise its limit (`ulimit -n`, `LimitNOFILE=` in systemd, `ulimits: nofile` in Docker)"


class TooFewDescriptors(Explained):
    """Nothing could be worked on."""


def check(pool: Pool, *, concurrency: int) -> None:
    """Raises TooFewDescriptors where the pool could not start, or could work on nothing; warns where it could not work on all that comes at once."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    starts_all = pool is Pool.PREFORK
    needed = BESIDE + (FOR_A_CHILD if starts_all else FOR_A_THREAD) * concurrency
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return
    if starts_all or limit < BESIDE + FOR_A_THREAD:
        raise TooFewDescriptors(f"A worker may open {limit} files here, and needs {needed}: {_HOW}.")
    log.warning("worker may open too few files", limit=limit, needed=needed, advice=_HOW)
