"""This code beside an earlier version of it, in bursts that take turns: what a change was worth.

A machine's speed varies by more than most changes are worth. So both versions run all the time, each on servers of its own, and every figure
is compared with the other's, seconds apart. This version's benchmarks load and watch both, on the libraries that are installed now: a version
that needs others, or whose `worker` and `tasks` no longer fit the benchmarks, cannot be compared.
"""

import io
import subprocess
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import median, stdev
from typing import Any

from benchmarks.driving import Line, line
from benchmarks.scenarios.scenario import in_turns

ROOT = Path(__file__).parent.parent
OURS = "this version"
Turn = Mapping[str, Any]
"""a `benchmarks.turn.Turn` as JSON"""


class NoSuchVersion(Exception):
    """git has none of that name here."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure: both versions' medians, and the rounds' ratios of ours to the other's."""

    ours: float
    other: float
    ratios: Sequence[float]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def error(self) -> float:
        """Standard error of the ratio; 0 for a single round, which says nothing about it."""
        return 1.25 * stdev(self.ratios) / sqrt(len(self.ratios)) if len(self.ratios) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    versions: Mapping[str, str]
    """of the servers; both versions of the code have the same"""
    figures: Mapping[str, Compared]


def run(
    revision: str, scratch: Path, *, rounds: int, orders: int, alone: int, say: Callable[[str], None]
) -> Comparison:
    """Raises NoSuchVersion."""
    other = scratch / "other"
    _check_out(revision, other)
    with ExitStack() as exits:
        stacks = {}
        for number, (name, code) in enumerate({OURS: ROOT, revision: other}.items()):
            say(f"starting {name}")
            stacks[name] = exits.enter_context(_stack(code, scratch / f"stack-{number}"))
        cases = {name: partial(it.ask, f"burst {orders} {alone}") for name, it in stacks.items()}
        versions = stacks[OURS].ask("versions")
        seen = in_turns(say, cases, rounds=rounds)
    ours, others = ([_figures(turn) for turn in seen[name]] for name in (OURS, revision))
    return Comparison(versions, compared(ours, others))


def compared(ours: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> dict[str, Compared]:
    """By figure. One entry per round; ours and the other's of the same round have the same index."""
    pairs = list(zip(ours, other, strict=True))
    return {
        name: Compared(
            median(mine[name] for mine, _ in pairs),
            median(its[name] for _, its in pairs),
            [mine[name] / its[name] for mine, its in pairs],
        )
        for name in ours[0]
    }


def _figures(turn: Turn) -> dict[str, float]:
    own, orders = turn["own"], turn["orders"]
    workers = sum(seconds for name, seconds in own.items() if name.startswith("worker-"))
    everything = sum(own.values()) + sum(turn["world"].values())
    spent = {"workers": workers, "PostgreSQL": own["postgres"], "all else": everything - workers - own["postgres"]}
    return {
        "orders/s": orders / turn["seconds"],
        **{f"CPU ms/order, {name}": seconds * 1000 / orders for name, seconds in spent.items()},
        "alone, ms": median(turn["alone"]) * 1000,
    }


def _check_out(revision: str, folder: Path) -> None:
    told = subprocess.run(["git", "archive", "--format=tar", revision], cwd=ROOT, capture_output=True, check=False)
    if told.returncode:
        why = told.stderr.decode(errors="replace").strip()
        raise NoSuchVersion(
            f"git cannot unpack {revision!r} ({why}); name a commit, tag or branch that `git log` shows"
        )
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as packed:
        packed.extractall(folder, filter="data")


def _stack(code: Path, folder: Path) -> AbstractContextManager[Line]:
    """Started in a folder with nothing but our own `benchmarks`, so that all else is imported from `code`."""
    here = folder / "here"
    here.mkdir(parents=True)
    (here / "benchmarks").symlink_to(ROOT / "benchmarks")
    return line(
        "benchmarks.stack",
        str(code),
        str(folder),
        variables={"PYTHONPATH": f"{here}:{code}"},
        log=folder / "stack.log",
        cwd=here,
        grace=60.0,
    )
