"""A process dies where a drill says so, for the order it says, once; and never in production."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker import drill_points
from worker.drill.crash import longest_calm
from worker.settings import Settings

ORDER = "018f6f6a-0000-7000-8000-000000000001"
PASSES = """
import sys, time
from pathlib import Path
from tasks.failure_points import reach, working_on
from worker import drill_points
drill_points.arm(Path(sys.argv[1]))
working_on(sys.argv[2])
reach(sys.argv[3])
time.sleep(float(sys.argv[4]))
print("alive")
"""


def passes(folder: Path, place: str, *, order: str = ORDER, stays: float = 0.0) -> tuple[int, str]:
    """Exit status and output of a process that passes `place` while it works on `order`."""
    command = [sys.executable, "-c", PASSES, str(folder), order, place, str(stays)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stdout


def test_a_process_dies_where_it_is_told_to_once(tmp_path: Path) -> None:
    drill_points.order_death(tmp_path, "collect_payment.claimed", ORDER)
    assert passes(tmp_path, "collect_payment.claimed") == (-signal.SIGKILL, "")
    assert drill_points.died_at(tmp_path, "collect_payment.claimed", ORDER) is not None
    assert passes(tmp_path, "collect_payment.claimed") == (0, "alive\n")


def test_it_dies_during_the_call_where_the_call_is_meant(tmp_path: Path) -> None:
    drill_points.order_death(tmp_path, "collect_payment.calling", ORDER)
    assert passes(tmp_path, "collect_payment.calling", stays=20) == (-signal.SIGKILL, "")


@pytest.mark.parametrize(
    ("place", "order"), [("collect_payment.called", ORDER), ("collect_payment.claimed", "../x"), ("", "")]
)
def test_another_place_or_another_order_is_passed_alive(tmp_path: Path, place: str, order: str) -> None:
    drill_points.order_death(tmp_path, "collect_payment.claimed", ORDER)
    assert passes(tmp_path, place, order=order) == (0, "alive\n")
    assert drill_points.died_at(tmp_path, "collect_payment.claimed", ORDER) is None


@pytest.mark.parametrize(
    ("deaths", "seconds"), [([], 20), ([5], 20), ([10, 40, 18], 12), ([25], 15), ([10, 30], 20), ([15, 29], 14)]
)
def test_an_order_that_other_kills_hit_again_is_owed_the_time_anew(deaths: list[float], seconds: float) -> None:
    assert longest_calm(10, 30, deaths) == seconds


def test_production_refuses_to_be_drilled() -> None:
    with pytest.raises(ValidationError, match="in production no process may be told to die"):
        Settings(environment="production", drill_folder=Path("/tmp"))  # type: ignore[call-arg]
