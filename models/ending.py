"""How a chain of steps ends: the step decides it, and `recording.stop` writes it."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from typing import Any

from models.states import OrderStatus


@dataclass(frozen=True, slots=True)
class Ending:
    """How an order's chain ends: for good, or until somebody acts."""

    status: OrderStatus
    _: KW_ONLY
    reason: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """stored with the order, beside its reason, and noted on its timeline"""
    private_facts: Mapping[str, Any] = field(default_factory=dict)
    """stored likewise, but left out of the timeline: addresses, and links for the customer only"""
    wake_in: timedelta | None = None
    """how soon the sweep is to check a waiting order; None if only an action from outside can continue it"""

    @property
    def stored(self) -> dict[str, Any]:
        return {**self.facts, **self.private_facts}

    @property
    def noted(self) -> dict[str, Any]:
        return {**({"reason": self.reason} if self.reason else {}), **self.facts}
