"""A worker that is frozen between planning a charge and asking for it asks for nothing once it wakes up: its order was taken over."""

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from models.states import OrderStatus, Step
from tasks import wiring
from tasks.charges.late_charges import late_charges
from tasks.ports import PLANS_HOLD, PaymentProvider
from tests.support import books
from tests.support.payment import CREATE
from tests.support.places import at
from tests.support.world import World, purchase


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The one by which the provider's adapter knows how old a plan is; ahead: seconds."""
    clock = SimpleNamespace(ahead=0.0)
    ours = SimpleNamespace(time=lambda: time.time() + clock.ahead)
    monkeypatch.setattr("worker.adapters.stripe.time", ours)
    monkeypatch.setattr("tasks.charges.charge_calls.time", ours)
    return clock


@pytest.mark.parametrize("seconds", [61, 20 * 60])
def test_an_order_that_was_cancelled_meanwhile_is_not_charged(
    world: World, clock: SimpleNamespace, seconds: int
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)

    def frozen() -> None:
        world.cancel(order_id)
        world.pass_time(seconds=seconds)
        assert world.go_on(order_id).status is OrderStatus.CANCELLED
        late_charges()
        clock.ahead = seconds

    with at("collect_payment.calling", frozen):
        assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "not_open"
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "void", 119_00)], [])
    assert books.differences(world) == []


def test_an_order_that_another_attempt_has_paid_meanwhile_is_not_charged_again(
    world: World, clock: SimpleNamespace
) -> None:
    """Its first attempt is so old, by the time others look at it, that its key may be forgotten."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.stripe.fail("unavailable", CREATE)
    world.run(order_id)
    world.stripe.calm()
    world.pass_time(hours=22, minutes=59)

    def frozen() -> None:
        world.pass_time(minutes=2)
        assert world.go_on(order_id).status is OrderStatus.COMPLETED
        clock.ahead = 120

    world.let_waits_run_out(order_id)
    with at("collect_payment.calling", frozen):
        assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "held_by_another"
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


def test_whose_order_nobody_took_over_plans_the_charge_anew(world: World, clock: SimpleNamespace) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)

    def stalls() -> None:
        clock.ahead = PLANS_HOLD + 1

    with at("collect_payment.calling", stalls):
        assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "postponed"
    clock.ahead = 0.0
    assert world.go_on(order_id, times=1).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


@dataclass
class Slow:
    """Searches charges for longer than a plan holds."""

    payments: PaymentProvider
    clock: SimpleNamespace

    def find_charges(self, **asked: Any) -> Any:
        self.clock.ahead += PLANS_HOLD + 1
        return self.payments.find_charges(**asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.payments, name)


def test_an_order_older_than_any_key_is_charged_however_long_the_search_for_its_charge_takes(
    world: World, clock: SimpleNamespace
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with world.begin() as session:
        session.connection().exec_driver_sql("update orders set created_at = created_at - interval '60 days'")
    wiring.plug_in(replace(world.wiring, payments=Slow(world.wiring.payments, clock)))
    assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "done"
    assert world.charged(ada) == [119_00]
