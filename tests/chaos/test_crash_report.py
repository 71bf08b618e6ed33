"""What a drill says of its kills, for people."""

from io import StringIO
from uuid import uuid4

from rich.console import Console

from worker.drill.buying import Bought
from worker.drill.cells import waves
from worker.drill.crash import CrashReport, Killed
from worker.drill.ground import Customer
from worker.drill.kinds import STEPS, points_of
from worker.drill.showing import show_crash


def test_every_step_is_named_whole_at_eighty_columns() -> None:
    report, seen = CrashReport(), StringIO()
    for cell in (cell for wave in waves(1) for cell in wave):
        bought = Bought(Customer(uuid4(), uuid4(), cell.kind), order_id=uuid4(), status=cell.kind.ends_as)
        report.killed.append(Killed(cell, bought, died_at=1.0, went_on_after=12.3))
    show_crash(report, Console(file=seen, width=80, force_terminal=True, color_system=None))
    lines = [line.split() for line in seen.getvalue().splitlines()]
    for step in STEPS:
        assert [step, *["✓", "12.3"] * len(points_of(step))] in lines
    assert "Elsewhere: placement inserted ✓ 12.3, placement committed ✓ 12.3" in seen.getvalue()
