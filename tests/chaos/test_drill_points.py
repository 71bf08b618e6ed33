"""A process dies where a drill says so, for the order it says, once; and never in production."""

import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from models.states import OrderStatus
from worker import drill_points
from worker.drill.buying import Bought
from worker.drill.cells import Cell
from worker.drill.crash import Killed, longest_calm
from worker.drill.ground import Customer
from worker.drill.kinds import KINDS
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


SAYS_WHEN = PASSES.replace("reach(sys.argv[3])", "print(time.time(), flush=True); reach(sys.argv[3])")


def passes(
    folder: Path, place: str, *, order: str = ORDER, stays: float = 0.0, script: str = PASSES
) -> tuple[int, str]:
    """Exit status and output of a process that passes `place` while it works on `order`."""
    command = [sys.executable, "-c", script, str(folder), order, place, str(stays)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    return ended.returncode, ended.stdout


def test_a_process_dies_where_it_is_told_to_once(tmp_path: Path) -> None:
    drill_points.order_death(tmp_path, "collect_payment.claimed", ORDER)
    assert passes(tmp_path, "collect_payment.claimed") == (-signal.SIGKILL, "")
    assert drill_points.died_at(tmp_path, "collect_payment.claimed", ORDER) is not None
    assert passes(tmp_path, "collect_payment.claimed") == (0, "alive\n")


def test_what_a_process_did_just_before_does_not_seem_to_come_after_its_end(tmp_path: Path) -> None:
    """By the file system's clock, which moves every few milliseconds, it mostly would."""
    for number in range(5):
        drill_points.order_death(tmp_path, "collect_payment.claimed", f"{ORDER}{number}")
        _, before = passes(tmp_path, "collect_payment.claimed", order=f"{ORDER}{number}", script=SAYS_WHEN)
        died_at = drill_points.died_at(tmp_path, "collect_payment.claimed", f"{ORDER}{number}")
        assert died_at is not None
        assert float(before) <= died_at


def test_a_process_dies_during_the_call_where_the_call_is_meant(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("died_at", "status", "missed"),
    [
        (None, OrderStatus.CANCELLED, True),
        (None, OrderStatus.REFUNDED, False),
        (None, OrderStatus.COMPLETED, False),
        (1.0, OrderStatus.CANCELLED, False),
    ],
)
def test_a_place_is_missed_where_the_order_was_cancelled_before_its_charge(
    died_at: float | None, status: OrderStatus, missed: bool
) -> None:
    way_back = next(kind for kind in KINDS if kind.name == "way back")
    bought = Bought(Customer(uuid4(), uuid4(), way_back), way_back.doing, status=status)
    assert Killed(Cell("refund_payment", "called", way_back), bought, died_at).was_missed is missed


def test_production_refuses_to_be_drilled() -> None:
    with pytest.raises(ValidationError, match="in production no process may be told to die"):
        Settings(environment="production", drill_folder=Path("/tmp"))  # type: ignore[call-arg]
