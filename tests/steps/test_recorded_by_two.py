"""Two operators record at once that they paid the same: the second is told who has recorded it, as the customer may have it twice."""

from collections.abc import Callable

import pytest

from models.states import OrderStatus
from tasks.operating import outside_records, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.steps.test_recorded_parts_that_fail import fails, recorded, settle, settled_sums
from tests.steps.test_recorded_sums import lose, refund_in_dashboard
from tests.support.disputes import bought, give_back, named
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.world import World

BY_WHOM = (
    r"^{} has been recorded as given back, {} EUR of it as paid, by Olga \(transfer\), so nothing was recorded now\. "
    r"If you paid, too, the customer has that twice$"
)
ORDER = "what order 1001 was charged"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen once, between the provider's answer and the record of what is told of it."""

    def arrange(happens: Callable[[], object]) -> None:
        decide, waiting = outside_records.require_decided, [happens]

        def decide_after_it(*given: object, **named: object) -> None:
            if waiting:
                waiting.pop()()
            decide(*given, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(outside_records, "require_decided", decide_after_it)

    return arrange


def test_the_rest_of_a_charge_that_the_bank_took_a_part_of(
    world: World, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 60_00)
    meanwhile(lambda: settle(order_id, rest_paid=True, paid="59.00"))
    told = BY_WHOM.format(ORDER, r"59\.00")
    with pytest.raises(NotPossible, match=told):
        settle(order_id, rest_paid=True, paid="59.00")
    with pytest.raises(NotPossible, match=told):
        settle(order_id, rest_paid=True, paid="59.00")  # a moment later
    assert settled_sums(world, order_id) == [(59_00, 60_00)]
    assert (world.run(order_id).status, named(world)) == (OrderStatus.REFUNDED, [])


def test_one_that_is_only_asked_about(world: World, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 60_00)
    meanwhile(lambda: settle(order_id, rest_paid=True))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"59\.00")):
        give_back(order_id)


def test_a_refund_that_was_due(world: World, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    meanwhile(lambda: settle(order_id))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"119\.00")):
        settle(order_id, paid="119.00")
    assert settled_sums(world, order_id) == [(119_00, 0)]


def test_what_was_owed_since(world: World, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails(world, eva, charge, 100_00)
    meanwhile(lambda: settle(order_id, rest_paid=True))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"100\.00")):
        settle(order_id, rest_paid=True)
    assert settled_sums(world, order_id) == [(13_00, 0), (100_00, 0)]


def test_an_unexpected_charge(world: World, meanwhile: Callable[[Callable[[], object]], None]) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)

    def record() -> object:
        return unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")

    meanwhile(record)
    with pytest.raises(NotPossible, match=BY_WHOM.format(f"unexpected charge {late}", r"69\.00")):
        record()
    assert [entry["owed_minor"] for entry in world.noted(order_id, "refund.settled_outside")] == [69_00]
