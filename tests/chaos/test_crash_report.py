"""What a drill says of its kills, for people."""

from io import StringIO
from uuid import uuid4

from rich.console import Console

from worker.drill.buying import Bought
from worker.drill.cells import Cell, waves
from worker.drill.crash import CrashReport, Killed
from worker.drill.ground import Customer
from worker.drill.kinds import STEPS, points_of
from worker.drill.showing import crash_as_json, show_crash


def test_every_step_is_named_whole_at_eighty_columns() -> None:
    report = CrashReport([killed(cell) for wave in waves(1) for cell in wave])
    seen = shown(report)
    lines = [line.split() for line in seen.splitlines()]
    for step in STEPS:
        assert [step, *["✓", "12.3"] * len(points_of(step))] in lines
    assert "Elsewhere: placement inserted ✓ 12.3, placement committed ✓ 12.3" in seen
    assert "collect_payment key_spent ✓ 12.3" in " ".join(seen.split())


def test_a_drill_whose_orders_went_on_too_late_has_not_passed() -> None:
    first, second = waves(1)[0][:2]
    report = CrashReport([killed(first), killed(second, went_on_after=16.96)])
    assert [each.trouble for each in report.killed] == [None, None]
    assert not report.passed
    late = "went on after 17.0 s, not within 15"
    assert f"✗ {second.place}, {second.kind.name}: {late}" in shown(report)
    assert "FAILED in" in shown(report)
    said = crash_as_json(report)
    assert [each["late"] for each in said["kills"]] == [None, late]
    assert said["passed"] is False


def killed(cell: Cell, *, went_on_after: float = 12.3) -> Killed:
    bought = Bought(Customer(uuid4(), uuid4(), cell.kind), order_id=uuid4(), status=cell.kind.ends_as)
    return Killed(cell, bought, died_at=1.0, went_on_after=went_on_after)


def shown(report: CrashReport) -> str:
    seen = StringIO()
    show_crash(report, Console(file=seen, width=80, force_terminal=True, color_system=None))
    return seen.getvalue()
