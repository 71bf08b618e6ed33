"""What a scenario is, and what it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.servers import Servers


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
    """as many as it sends, unless told otherwise"""
    run: Callable[[Place, int], Findings]


def rates(cases: Mapping[str, float], *, of: str, over: str, called: str) -> Findings:
    """Orders per second of several cases, and one's over another's."""
    rows = {case: {"orders/s": rate} for case, rate in cases.items()}
    return Findings(rows, {called: cases[of] / cases[over]})
