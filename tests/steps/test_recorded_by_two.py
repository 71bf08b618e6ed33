"""Two operators record at once that they paid the same: the second is told who has recorded it, as the customer may have it twice."""

from collections.abc import Callable
from functools import partial

import pytest

from models.states import OrderStatus
from tasks.operating import outside_records, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tests.steps.test_recorded_parts_that_fail import (
    ends,
    fails,
    fails_disputed,
    recorded,
    settle,
    settled_sums,
    unexpected_charge_given_back_in_parts,
)
from tests.steps.test_recorded_sums import lose, refund_in_dashboard
from tests.support.disputes import bought, give_back, named
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.world import World

BY_WHOM = (
    r"^{} has been recorded as given back, {} EUR of it as paid, by Olga \(transfer\), so nothing was recorded now\. "
    r"If you paid, too, the customer has that twice$"
)
ORDER = "what order 1001 was charged"


Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something happen once, between the provider's answer and what is told of it."""
    return partial(before, "require_decided", monkeypatch)


@pytest.fixture
def at_last(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something happen once, between what is told of the provider's answer and its record."""
    return partial(before, "require_paid", monkeypatch)


def before(rule: str, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    decide, waiting = getattr(outside_records, rule), [happens]

    def decide_after_it(*given: object, **named: object) -> None:
        if waiting:
            waiting.pop()()
        decide(*given, **named)

    monkeypatch.setattr(outside_records, rule, decide_after_it)


def test_the_rest_of_a_charge_that_the_bank_took_a_part_of(world: World, meanwhile: Meanwhile) -> None:
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


def test_one_that_is_only_asked_about(world: World, meanwhile: Meanwhile) -> None:
    _, order_id, charge = bought(world)
    lose(world, charge, 60_00)
    meanwhile(lambda: settle(order_id, rest_paid=True))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"59\.00")):
        give_back(order_id)


def test_a_refund_that_was_due(world: World, meanwhile: Meanwhile) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    meanwhile(lambda: settle(order_id))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"119\.00")):
        settle(order_id, paid="119.00")
    assert settled_sums(world, order_id) == [(119_00, 0)]


def test_what_was_owed_since(world: World, meanwhile: Meanwhile) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails(world, eva, charge, 100_00)
    meanwhile(lambda: settle(order_id, rest_paid=True))
    with pytest.raises(NotPossible, match=BY_WHOM.format(ORDER, r"100\.00")):
        settle(order_id, rest_paid=True)
    assert settled_sums(world, order_id) == [(13_00, 0), (100_00, 0)]


def test_an_unexpected_charge(world: World, meanwhile: Meanwhile) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    refund_in_dashboard(world, late, 50_00)

    def record() -> object:
        return unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")

    meanwhile(record)
    with pytest.raises(NotPossible, match=BY_WHOM.format(f"unexpected charge {late}", r"69\.00")):
        record()
    assert [entry["owed_minor"] for entry in world.noted(order_id, "refund.settled_outside")] == [69_00]


NOTHING_PAID = r"^{} has been recorded as given back by Olga \(transfer\), so nothing was recorded now"


def test_that_nothing_is_owed_since(world: World, at_last: Meanwhile) -> None:
    eva, order_id, charge = recorded(world)
    world.run(order_id)
    fails_disputed(world, eva, charge, 100_00)
    ends(world, charge, "lost", 100_00)
    at_last(lambda: settle(order_id))
    with pytest.raises(NotPossible, match=NOTHING_PAID.format(ORDER)):
        settle(order_id)
    assert settled_sums(world, order_id) == [(13_00, 0), (0, 100_00)]


def test_that_nothing_of_an_unexpected_charge_is_owed_since(world: World, at_last: Meanwhile) -> None:
    ada = world.customer()
    order_id, late = unexpected_charge_given_back_in_parts(world, ada)
    fails_disputed(world, ada, late, 50_00)
    ends(world, late, "lost", 50_00)

    def record() -> object:
        return unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")

    at_last(record)
    with pytest.raises(NotPossible, match=NOTHING_PAID.format(f"unexpected charge {late}")):
        record()
    assert settled_sums(world, order_id) == [(69_00, 0), (0, 50_00)]
