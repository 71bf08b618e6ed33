"""What the turns say together, as plain values ready for JSON."""

import math
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peer import Peer
from benchmarks.statements import Asked
from benchmarks.turn import Turn

Figures = dict[str, Any]

OURS = "prorata"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def versions(packages: Sequence[str]) -> dict[str, str]:
    """As installed here."""
    return {package: version(package) for package in packages}


def of_peer(peer: Peer, turns: Sequence[Turn], asked: Asked | None) -> Figures:
    rates = [turn.rate for turn in turns]
    alone = [seconds * 1000 for turn in turns for seconds in turn.alone]
    middles = [percentile(turn.alone, 0.5) * 1000 for turn in turns]
    own = _per_order([turn.own for turn in turns], turns)
    return {
        "title": peer.title,
        "versions": versions(peer.packages),
        "orders_per_second": {
            "median": statistics.median(rates),
            "min": min(rates),
            "max": max(rates),
            "rounds": rates,
        },
        "cpu_ms_per_order": {"total": sum(own.values()), **own},
        "stand_ins_cpu_ms_per_order": _per_order([turn.world for turn in turns], turns),
        "alone_ms": {
            "p50": percentile(alone, 0.5),
            "p99": percentile(alone, 0.99),
            "orders": len(alone),
            "rounds": middles,
        },
        "memory_mb": _medians([turn.memory for turn in turns]),
        "sql_per_order": asdict(asked) if asked else None,
    }


def ratios(peers: Mapping[str, Figures]) -> Figures:
    """Prorata's orders per second over each peer's, and its time of one order alone over the bare chain's.

    Each is the median of the rounds' ratios, as a round's turns are close in time.
    """
    if OURS not in peers:
        return {}
    ours = peers[OURS]
    found = {name: _ratio(ours, theirs, "orders_per_second") for name, theirs in peers.items() if name != OURS}
    if "bare_chain" in peers:
        found["latency_over_bare_chain"] = _ratio(ours, peers["bare_chain"], "alone_ms")
    return found


def surroundings(measured: Mapping[str, str]) -> Figures:
    """The code, the machine and the servers, for whoever reads the figures elsewhere. Taken before anything is measured.

    measured: versions of servers and libraries.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processors": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "disk_sync_ms": _disk_sync_ms(),
        "system": _system(),
        "versions": {"Python": platform.python_version(), **measured},
    }


def _commit() -> str | None:
    """As `git describe` puts it, with `-dirty` where files differ from it. None where there is no git or no checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return told.stdout.strip() or None


def _system() -> str:
    """`Linux 6.18`: what a kernel is called after its numbers says who built it, not how fast it is."""
    return f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _ratio(ours: Figures, theirs: Figures, figure: str) -> float:
    pairs = zip(ours[figure]["rounds"], theirs[figure]["rounds"], strict=True)
    return float(statistics.median(mine / other for mine, other in pairs))


def _per_order(spent: Sequence[Mapping[str, float]], turns: Sequence[Turn]) -> dict[str, float]:
    """Milliseconds of processor time, median over the rounds."""
    return _medians(
        [
            {name: seconds * 1000 / turn.orders for name, seconds in each.items()}
            for each, turn in zip(spent, turns, strict=True)
        ]
    )


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def _disk_sync_ms() -> float:
    """How long this machine takes to write 8 KB through to the disk: every commit waits for that."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "sync").open("wb", buffering=0) as file:
        took = []
        for _ in range(50):
            file.write(b"x" * 8192)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
