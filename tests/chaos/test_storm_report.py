"""A storm has passed only where every order ended as its customer wanted it to."""

from collections import Counter
from io import StringIO
from uuid import uuid4

import pytest
from rich.console import Console

from models.states import OrderStatus
from tests.support.world import World, purchase
from worker.drill.audit import audit
from worker.drill.buying import Bought
from worker.drill.faults import FAULTS
from worker.drill.ground import Customer
from worker.drill.kinds import KINDS, Doing
from worker.drill.showing import show_storm, storm_as_json
from worker.drill.storm_report import StormReport

TOO_SHORT = "SMTP: down: 2 strikes hit nothing; the storm was too short for the 3 strikes that would tell"


def over(status: OrderStatus, doing: Doing) -> StormReport:
    """A storm in which all faults have struck one customer."""
    bought = Bought(Customer(uuid4(), uuid4(), KINDS[0]), doing, key="ada", order_id=uuid4(), status=status)
    report = StormReport(seed=1, wanted=1, minutes=0.5, bought=[bought], quiet_after=1.0)
    for counted in (report.strikes, report.hits):
        counted.update(fault.name for fault in FAULTS)
    return report


@pytest.mark.parametrize(
    ("doing", "status", "passes"),
    [
        (Doing.NOTHING, OrderStatus.COMPLETED, True),
        (Doing.NOTHING, OrderStatus.REJECTED, False),
        (Doing.NOTHING, OrderStatus.REFUNDED, False),
        (Doing.NOTHING, OrderStatus.CANCELLED, False),
        (Doing.CANCEL_WHILE_CHARGED, OrderStatus.REFUNDED, True),
        (Doing.CANCEL_WHILE_CHARGED, OrderStatus.CANCELLED, True),
        (Doing.CANCEL_WHILE_CHARGED, OrderStatus.COMPLETED, True),
        (Doing.CANCEL_WHILE_CHARGED, OrderStatus.REJECTED, False),
    ],
)
def test_an_order_that_ends_otherwise_is_a_trouble(doing: Doing, status: OrderStatus, *, passes: bool) -> None:
    report = over(status, doing)
    assert report.passed is passes
    assert [trouble.partition(",")[0] for trouble in report.troubles] == ([] if passes else [f"ada: ended as {status}"])


@pytest.mark.parametrize(
    ("strikes", "hits", "troubles", "remarks"),
    [
        (1, 1, [], []),
        (2, 0, [], [TOO_SHORT]),
        (3, 0, ["SMTP: down: 3 strikes hit nothing"], []),
        (3, 1, [], []),
    ],
)
def test_a_fault_that_hit_nothing_is_said_and_fails_a_storm_that_struck_often_enough(
    strikes: int, hits: int, troubles: list[str], remarks: list[str]
) -> None:
    report = over(OrderStatus.COMPLETED, Doing.NOTHING)
    report.strikes["SMTP: down"], report.hits["SMTP: down"] = strikes, hits
    assert (report.troubles, report.remarks, report.passed) == (troubles, remarks, not troubles)
    said = storm_as_json(report)
    assert (said["troubles"], said["remarks"]) == (troubles, remarks)
    seen = StringIO()
    show_storm(report, Console(file=seen, width=200))
    assert all(line in seen.getvalue() for line in (*troubles, *remarks))


@pytest.mark.parametrize(("told", "differs"), [(119_00, False), (118_99, True)])
def test_what_a_customer_was_told_is_held_against_the_order(world: World, told: int, *, differs: bool) -> None:
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        found = audit(
            session, {"charges": [], "payment_intents": [], "refunds": []}, Counter(), told={order.id: (told, "EUR")}
        )
    said = [finding.what for finding in found.findings if finding.order_id == order.id and "was told" in finding.what]
    assert said == (["its customer was told (11899, 'EUR'), and the order says (11900, 'EUR')"] if differs else [])


def test_the_report_says_what_makes_the_same_storm_again() -> None:
    shown = StringIO()
    show_storm(over(OrderStatus.COMPLETED, Doing.NOTHING), Console(file=shown, width=200))
    assert "Again: prorata drill storm --orders 1 --minutes 0.5 --seed 1\n" in shown.getvalue()
