"""A run of late charges ends after a minute or so, however many attempts a slow provider leaves for the next."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tasks import wiring
from tasks.charges import late_charges
from tasks.ports import PaymentProvider
from tests.steps.test_late_charges import given_up
from tests.support.world import World


@dataclass
class Slow:
    """Answers each search for charges after so many seconds of its own clock."""

    payments: PaymentProvider
    seconds: float
    clock: float = 0.0

    def find_charges(self, **asked: Any) -> Any:
        self.clock += self.seconds
        return self.payments.find_charges(**asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.payments, name)

    def monotonic(self) -> float:
        return self.clock


@pytest.mark.parametrize(("seconds", "looked_up"), [(600, 1), (60, 1), (59, 2)])
def test_a_run_begins_no_further_look_after_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: float, looked_up: int
) -> None:
    for _ in range(3):
        given_up(world, world.customer())
    world.pass_time(minutes=15)
    slow: Any = Slow(world.wiring.payments, seconds)
    wiring.plug_in(replace(world.wiring, payments=slow))
    monkeypatch.setattr(late_charges, "time", slow)
    assert late_charges.late_charges() == looked_up
    slow.seconds = 0
    assert (late_charges.late_charges(), late_charges.late_charges()) == (3 - looked_up, 0)
