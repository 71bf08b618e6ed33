"""A run of VAT follow-ups ends after a minute or so, however many letters a slow mail server leaves for the next."""

from dataclasses import dataclass, replace

import pytest

from tasks import wiring
from tasks.ports import Letter, Mailer
from tasks.vat import vat_follow_up
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up
from tests.support.world import World


@dataclass
class Slow(Mailer):
    """Takes each letter after so many seconds of its own clock."""

    mailer: Mailer
    seconds: float
    clock: float = 0.0

    def send(self, letter: Letter) -> None:
        self.clock += self.seconds
        self.mailer.send(letter)

    def monotonic(self) -> float:
        return self.clock


@pytest.mark.parametrize(("seconds", "letters"), [(600, 1), (60, 1), (59, 2)])
def test_a_run_begins_no_further_letter_after_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: float, letters: int
) -> None:
    orders = [during_outage(world)[1] for _ in range(3)]
    world.vies.register(NUMBER, status="invalid")
    slow = Slow(world.wiring.mailer, seconds)
    wiring.plug_in(replace(world.wiring, mailer=slow))
    monkeypatch.setattr(vat_follow_up, "time", slow)
    assert ask_again(world) == letters
    slow.seconds = 0
    assert vat_follow_up.vat_follow_up() == 3 - letters
    assert [follow_up(world, order).letter_owed for order in orders] == [False, False, False]
