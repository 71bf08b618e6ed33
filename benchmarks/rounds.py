"""All peers in turn, round after round, so that changes in the machine's speed affect all alike."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import servers, statements
from benchmarks.peer import Peer
from benchmarks.servers import Servers
from benchmarks.statements import Asked
from benchmarks.turn import Size, Turn, take

Say = Callable[[str], None]


def measure(
    peers: Sequence[Peer], running: Servers, scratch: Path, *, rounds: int, size: Size, say: Say
) -> dict[str, list[Turn]]:
    """Turns by peer's name. Each round begins with another peer."""
    turns: dict[str, list[Turn]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        shift = number % len(peers)
        for peer in [*peers[shift:], *peers[:shift]]:
            say(f"round {number + 1} of {rounds}: {peer.title}")
            here = scratch / f"{peer.name}-{number}"
            turns[peer.name].append(take(peer, running, here, size))
            shutil.rmtree(here)
    return turns


def count_statements(peers: Sequence[Peer], running: Servers, scratch: Path, *, say: Say) -> dict[str, Asked]:
    asked = {}
    for peer in peers:
        say(f"statements: {peer.title}")
        asked[peer.name] = statements.count(peer, running, scratch / f"{peer.name}-statements")
    return asked


@contextmanager
def venue() -> Iterator[tuple[Servers, Path]]:
    """The servers, with their data on disk, and a folder for everything else, in memory where the machine has such a place."""
    with folder() as disk, servers.running(disk) as running, folder(in_memory=True) as scratch:
        yield running, scratch


@contextmanager
def folder(*, in_memory: bool = False) -> Iterator[Path]:
    """Removed afterwards."""
    memory = Path("/dev/shm")
    where = memory if in_memory and memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="prorata-bench-", dir=where) as made:
        yield Path(made)
