"""The drill in short: processes killed at the places where it hurts most."""

from pathlib import Path

import pytest

from models.states import Step
from worker.drill import crash
from worker.drill.cells import KEY_SPENT, PLACEMENT, RELAY, Cell, waves
from worker.drill.ground import ground
from worker.drill.kinds import KINDS, STEPS, points_of

BY_NAME = {kind.name: kind for kind in KINDS}


def test_the_drill_kills_at_every_place_of_every_step() -> None:
    places = [cell.place for wave in waves(1) for cell in wave]
    assert len(places) == len(set(places))
    steps = {f"{step}.{point}" for step in STEPS for point in points_of(step)}
    assert set(places) == steps | {".".join(place) for place in (*PLACEMENT, RELAY, KEY_SPENT)}


def test_every_kind_of_order_is_killed_somewhere_in_every_round() -> None:
    for number in range(3):
        wanted = waves(number + 1)[len(waves(number)) :]
        assert {cell.kind.name for wave in wanted for cell in wave} == set(BY_NAME)


@pytest.mark.timeout(900)
def test_killed_processes_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    wave = [
        Cell(*PLACEMENT[1], BY_NAME["trial"]),
        Cell(Step.ACTIVATE_SUBSCRIPTION, "called", BY_NAME["change down"]),
        Cell(Step.COLLECT_PAYMENT, "calling", BY_NAME["reverse charge"]),
        Cell(Step.SEND_CONFIRMATION_EMAIL, "claimed", BY_NAME["mixed cart"]),
    ]
    failed_at_stripe = [Cell(*KEY_SPENT, BY_NAME["purchase"])]
    with ground(tmp_path, say=print) as prepared:
        report = crash.run(prepared, planned=[wave, failed_at_stripe], progress=print)
    assert [killed.trouble for killed in report.killed] == [None] * 5  # whether it was `late` says more of the machine
    assert report.audit.findings == []
