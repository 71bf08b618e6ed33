"""What came of a storm, and whether it passed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.states import FINAL, OrderStatus
from worker.drill.audit import Audit
from worker.drill.buying import Bought
from worker.drill.faults import FAULTS
from worker.drill.kinds import Doing

QUIET_WITHIN = 300.0
"""seconds after the storm within which every order has to end"""
PER_ORDER = 0.1
"""seconds that each order adds to that"""
TELLING = 3
"""strikes of one kind, at times of their own: one may find nothing that it could hit, but not all of so many"""

ENDS: Final[Mapping[Doing, frozenset[OrderStatus]]] = {
    Doing.NOTHING: frozenset({OrderStatus.COMPLETED}),
    Doing.CANCEL_WHILE_CHARGED: frozenset({OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUNDED}),
}
"""how an order may end, whatever faults strike; one whose cancellation came too late is completed"""


@dataclass(slots=True)
class StormReport:
    seed: int
    wanted: int
    minutes: float
    """how long the storm lasts"""
    strikes: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    missed: dict[str, str] = field(default_factory=dict)
    """faults that could not strike, and why"""
    bought: list[Bought] = field(default_factory=list)
    quiet_after: float | None = None
    """seconds from the end of the storm; None: never"""
    audit: Audit = field(default_factory=Audit)
    seconds: float = 0.0

    @property
    def command(self) -> str:
        """What makes the same orders and the same choices again."""
        return f"prorata drill storm --orders {self.wanted} --minutes {self.minutes:g} --seed {self.seed}"

    @property
    def patience(self) -> float:
        """Seconds after the storm in which all has to be quiet."""
        return QUIET_WITHIN + PER_ORDER * self.wanted

    @property
    def troubles(self) -> list[str]:
        lost = [f"{each.key}: {each.trouble}" for each in self.bought if each.trouble]
        otherwise = [
            f"{each.key}: ended as {each.status}, and it should be {' or '.join(sorted(ENDS[each.doing]))}"
            for each in self.bought
            if each.status in FINAL and each.status not in ENDS[each.doing]
        ]
        quiet = [] if self.quiet_after is not None else [f"not quiet {self.patience:g} s after the storm"]
        never = [
            f"{fault.name} never struck: {self.missed.get(fault.name)}"
            for fault in FAULTS
            if not self.strikes[fault.name]
        ]
        vain = [self._hit_nothing(name) for name in self._vain if self._tells(name)]
        few = [f"{len(self.placed)} orders placed, {self.wanted} wanted"] if len(self.placed) < self.wanted else []
        return lost + otherwise + quiet + never + vain + few

    @property
    def remarks(self) -> list[str]:
        """What is no trouble, but was not tried either."""
        return [
            f"{self._hit_nothing(name)}; the storm was too short for the {TELLING} strikes that would tell"
            for name in self._vain
            if not self._tells(name)
        ]

    @property
    def _vain(self) -> list[str]:
        return [fault.name for fault in FAULTS if self.strikes[fault.name] and not self.hits[fault.name]]

    def _hit_nothing(self, name: str) -> str:
        times = self.strikes[name]
        return f"{name}: {times} {'strike' if times == 1 else 'strikes'} hit nothing"

    def _tells(self, name: str) -> bool:
        return self.strikes[name] >= TELLING

    @property
    def placed(self) -> list[Bought]:
        return [each for each in self.bought if each.order_id is not None]

    @property
    def passed(self) -> bool:
        return not self.troubles and not self.audit.findings
