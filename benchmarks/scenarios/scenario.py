"""What a scenario is, and what it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks.servers import Servers

T = TypeVar("T")

ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Findings:
    rows: dict[str, dict[str, float]]
    """figures by case"""
    ratios: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    servers: Servers
    scratch: Path
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    question: str
    orders: int
    """how many it sends unless told otherwise"""
    run: Callable[[Place, int], Findings]


def in_turns(
    say: Callable[[str], None], cases: Mapping[str, Callable[[], T]], *, rounds: int = ROUNDS
) -> dict[str, list[T]]:
    """What each case gave in each round. Every other round runs in reverse: compared figures are seconds apart, and no case is always first."""
    seen: dict[str, list[T]] = {name: [] for name in cases}
    for number in range(rounds):
        for name in sorted(cases, reverse=number % 2 == 1):
            say(f"round {number + 1} of {rounds}: {name}")
            seen[name].append(cases[name]())
    return seen


def compared(seen: Mapping[str, list[float]], *, of: str, over: str, called: str) -> Findings:
    """The median orders per second of two cases, and the ratio of one to the other, round by round."""
    rows = {name: {"orders/s": median(rates)} for name, rates in seen.items()}
    return Findings(rows, ratios(seen[of], seen[over], called=called))


def ratios(these: list[float], over: list[float], *, called: str) -> dict[str, float]:
    """The median, the least and the most of the rounds' ratios."""
    each = [a / b for a, b in zip(these, over, strict=True)]
    return {called: median(each), f"{called}, least": min(each), f"{called}, most": max(each)}
