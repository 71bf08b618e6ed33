"""What stands still goes on by itself, less and less often, until a person must look; what waits too long ends."""

import re
import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, delete, false, func, select, text, update
from sqlalchemy.exc import InternalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from models import lease, waiting_orders
from models.messages import Heartbeat, OutboxMessage
from models.orders import Order, OrderedProduct, OrderEvent
from models.rules.cart import SubscriptionStatus
from models.states import OrderStatus, Step
from models.subscriptions import Subscription
from tasks import sweep
from tasks.errors import NO_DATABASE
from tasks.running import retry_policy
from tests.support.in_one_process import without_broker
from tests.support.many_orders import Plans, copy_waiting_orders
from tests.support.messages import eventually
from tests.support.world import MONTH, World, purchase, trial


def lose_message(world: World) -> None:
    """The relay has published what was in the outbox, and the broker has lost it."""
    with world.begin() as session:
        session.execute(delete(OutboxMessage))


def stand_still(world: World, order_id: UUID) -> None:
    lose_message(world)
    world.let_waits_run_out(order_id)


def test_an_order_whose_message_was_lost_is_published_again_from_its_step(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    stand_still(world, order_id)
    assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.ACTIVATE_SUBSCRIPTION)]
    (restarted,) = (row for row in world.rows(OrderEvent, order_id=order_id) if row.kind == "order.restarted")
    assert restarted.facts == {"step": "activate_subscription", "restart": 1}
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_an_order_that_moves_is_left_alone(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    lose_message(world)
    assert sweep.sweep() == 0
    assert (world.outbox(), world.order(order_id).restarts) == ([], 0)


def test_an_order_that_a_worker_holds_is_left_alone_however_late_it_is(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    stand_still(world, order_id)
    with world.begin() as session:
        lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(minutes=5))
    assert sweep.sweep() == 0
    assert (world.outbox(), world.order(order_id).restarts) == ([], 0)


def test_a_step_that_is_to_be_tried_again_later_is_not_tried_before(world: World) -> None:
    world.stripe.fail("unavailable", "payment_intents.create")
    order_id = world.place(world.customer(), purchase())
    world.run(order_id)
    world.stripe.calm()
    assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "held_by_another"
    assert world.go_on(order_id).status is OrderStatus.COMPLETED


def set_clock_back(world: World, by: timedelta) -> None:
    """To its rows PostgreSQL's clock was set back: what they say of times lies further ahead."""
    with world.begin() as session:
        session.execute(
            update(Order).values(
                lease_until=Order.lease_until + by,
                wake_at=Order.wake_at + by,
                next_attempt_at=Order.next_attempt_at + by,
            )
        )


def test_an_order_whose_worker_died_goes_on_though_the_clock_was_set_back(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    lose_message(world)
    with world.begin() as session:
        lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(seconds=8))
    set_clock_back(world, timedelta(hours=1))
    assert sweep.sweep() == 0  # its worker may be alive: it keeps the order if it prolongs its lease
    assert world.order(order_id).lease_token is not None
    assert world.wakes_in(order_id) <= 8
    world.let_waits_run_out(order_id)
    assert sweep.sweep() == 1
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_a_retry_is_due_though_the_clock_was_set_back(world: World) -> None:
    world.stripe.fail("unavailable", "payment_intents.create")
    order_id = world.place(world.customer(), purchase())
    world.run(order_id)
    world.stripe.calm()
    set_clock_back(world, timedelta(hours=1))
    sweep.sweep()
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_waits_that_may_be_meant_so_are_left_as_they_are(world: World) -> None:
    waiting = world.place(world.customer(card=None), purchase())
    assert world.run(waiting).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    postponed = world.place(world.customer(), purchase())
    assert retry_policy.restart_delay(100) + timedelta(minutes=3) < lease.FARTHEST
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == postponed).values(wake_at=lease.db_now(lease.FARTHEST)))
    before = [world.order(each).wake_at for each in (waiting, postponed)]
    assert sweep.sweep() == 0
    assert [world.order(each).wake_at for each in (waiting, postponed)] == before


def test_what_still_lies_in_the_outbox_is_not_published_twice(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.let_waits_run_out(order_id)
    assert sweep.sweep() == 0
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]
    assert world.order(order_id).restarts == 0


@pytest.mark.parametrize(("restarts", "seconds"), [(0, 8), (1, 16), (4, 128), (9, 600)])
def test_each_restart_waits_longer_than_the_last(world: World, restarts: int, seconds: int) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(Order).values(restarts=restarts))
    stand_still(world, order_id)
    began = time.monotonic()
    sweep.sweep()
    left = world.wakes_in(order_id)
    assert left <= seconds <= left + time.monotonic() - began


def test_a_step_that_keeps_failing_backs_off_with_its_order(world: World) -> None:
    world.stripe.fail("unavailable", "payment_intents.create")
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(Order).values(restarts=5))
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with world.begin() as session:
        session.execute(update(Order).values(restarts=5))
    world.run(order_id)
    assert world.wakes_in(order_id) > 200


def test_after_too_many_restarts_a_person_must_look_and_the_order_says_why(world: World) -> None:
    world.policy(max_restarts=3)
    world.stripe.fail("unavailable", "payment_intents.create")
    order_id = world.place(world.customer(), purchase())
    for _ in range(4):
        world.run(order_id)
        stand_still(world, order_id)
        sweep.sweep()
    order = world.order(order_id)
    assert (order.status, order.reason) == (OrderStatus.NEEDS_ATTENTION, "needs-attention")
    assert (order.next_step, order.wake_at) == (Step.COLLECT_PAYMENT, None)
    assert (order.last_error or "").startswith("collect_payment: ")
    assert world.timeline(order_id).count("order.restarted") == 3


def test_after_workers_died_with_an_order_too_often_a_person_must_look_and_the_order_says_why(world: World) -> None:
    world.policy(max_restarts=3)
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        session.execute(update(Order).values(restarts=3))
    with world.begin() as session:
        assert lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(minutes=5))
    stand_still(world, order_id)
    sweep.sweep()
    order = world.order(order_id)
    assert (order.status, order.lease_token) == (OrderStatus.NEEDS_ATTENTION, None)
    assert order.last_error == "validate_cart made no progress in 3 restarts"


def test_a_parked_order_is_resumed_where_it_stood(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.park(order_id)
    assert world.deliver(order_id, Step.ACTIVATE_SUBSCRIPTION) == "not_open"
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION
    with world.begin() as session:
        waiting = (OrderStatus.NEEDS_ATTENTION,)
        waiting_orders.reopen(session, order_id, out_of=waiting, step=Step.ACTIVATE_SUBSCRIPTION, why="resumed")
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_two_sweeps_at_once_restart_an_order_once(world: World) -> None:
    ids = [world.place(world.customer(card=None), purchase()) for _ in range(3)]
    for order_id in ids:
        stand_still(world, order_id)
    touched: list[int] = []
    sweeps = [threading.Thread(target=lambda: touched.append(sweep.sweep())) for _ in range(3)]
    for each in sweeps:
        each.start()
    for each in sweeps:
        each.join()
    assert sum(touched) == 3
    assert sorted(order_id for order_id, _ in world.outbox()) == sorted(ids)


class Sweeping:
    """A sweep in a thread of its own, that stops at the first of its orders until the end of the block."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.touched: list[int] = []
        self.failed: list[BaseException] = []
        self._stopped, self._may_go_on = threading.Event(), threading.Event()
        self._look_after = sweep.look_after
        self._thread = threading.Thread(target=self._run)
        monkeypatch.setattr(sweep, "look_after", self._stop)

    def __enter__(self) -> "Sweeping":
        self._thread.start()
        assert self._stopped.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._may_go_on.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self.touched.append(sweep.sweep())
        except (*NO_DATABASE, InternalError) as error:  # the latter: an engine that no worker has set up
            self.failed.append(error)

    def _stop(self, session: Session, order: Order) -> bool:
        if threading.current_thread() is self._thread:
            self._stopped.set()
            assert self._may_go_on.wait(60)
        return self._look_after(session, order)


def test_a_sweep_leaves_everything_to_the_one_that_is_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would find the same orders, and open a transaction for each."""
    for _ in range(3):
        stand_still(world, world.place(world.customer(card=None), purchase()))
    with Sweeping(monkeypatch) as first:
        assert sweep.sweep() == 0
        assert world.outbox() == []
    assert (first.touched, len(world.outbox())) == ([3], 3)


def test_a_sweep_of_another_installation_in_the_same_database_is_none_of_its_business(world: World) -> None:
    stand_still(world, world.place(world.customer(card=None), purchase()))
    with world.begin() as elsewhere:
        elsewhere.execute(text("set local search_path = pg_catalog"))
        assert sweep._hold_lock(elsewhere)
        assert sweep.sweep() == 1


def test_no_sweep_is_held_up_while_another_waits_for_redis(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = []

    def in_queue() -> ColumnElement[bool]:
        with world.begin() as session:
            alone.append(sweep._hold_lock(session))
        return false()

    monkeypatch.setattr(sweep, "_waits_in_queue", in_queue)
    sweep.sweep()
    assert alone == [True]


def test_a_sweep_that_is_frozen_does_not_hold_up_others_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_FROZEN", "1s")
    for _ in range(3):
        stand_still(world, world.place(world.customer(card=None), purchase()))
    with Sweeping(monkeypatch) as first:
        assert eventually(lambda: sweep.sweep() == 2)  # but for the one that it is at
    assert len(first.failed) == 1


def test_a_sweep_that_died_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        stand_still(world, world.place(world.customer(card=None), purchase()))
    with Sweeping(monkeypatch) as first:
        with world.begin() as session:
            others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            session.execute(text(f"select pg_terminate_backend(pid, 60000) {others} and state like 'idle in%'"))
        assert sweep.sweep() == 3
    assert (first.touched, len(first.failed), len(world.outbox())) == ([], 1, 3)


def test_an_order_that_a_worker_has_taken_since_it_was_found_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = world.place(world.customer(), purchase())
    stand_still(world, order_id)
    find = sweep.standing_still

    def find_and_be_overtaken(due: sweep.Due) -> list[tuple[UUID, OrderStatus]]:
        found = find(due)
        with world.begin() as session:
            lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(minutes=5))
        return found

    monkeypatch.setattr(sweep, "standing_still", find_and_be_overtaken)
    assert sweep.sweep() == 0
    assert (world.outbox(), world.order(order_id).restarts) == ([], 0)
    assert world.order(order_id).lease_token is not None


@pytest.mark.parametrize("longest", [0, 1])
def test_of_more_orders_than_one_run_handles_those_that_waited_longest_come_first(
    world: World, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    ids = [world.place(world.customer(), purchase()) for _ in range(2)]
    lose_message(world)
    for order_id in ids:
        ago = timedelta(hours=2 if order_id == ids[longest] else 1)
        with world.begin() as session:
            session.execute(update(Order).where(Order.id == order_id).values(wake_at=func.clock_timestamp() - ago))
    monkeypatch.setattr(sweep, "BATCH", 1)
    assert sweep.sweep() == 1
    assert world.outbox() == [(ids[longest], Step.VALIDATE_CART)]


def test_orders_that_are_due_are_found_however_many_wait(world: World) -> None:
    ada = world.customer()
    due = world.place(ada, purchase())
    copy_waiting_orders(world, ada)
    lose_message(world)
    world.let_waits_run_out(due)
    with Plans(world, "orders") as plans:
        assert sweep.sweep() == 1
    [plan] = [each for each in plans.noted if each.startswith("Limit") and "LockRows" not in each]
    assert re.search(r"ix_orders_wake_at on orders .*\n *Index Cond: \(wake_at <=", plan), plan


def test_a_waiting_order_is_cancelled_after_its_time_and_gives_everything_back(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 10_00)
    order_id = world.place(ada, purchase())
    world.reprice("desk", "team", MONTH, 12_00)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    assert world.wakes_in(order_id) > timedelta(days=6).total_seconds()
    world.let_waits_run_out(order_id)
    sweep.sweep()
    order = world.order(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "customer-did-not-answer")
    assert (world.balance(ada), world.rows(OrderedProduct, order_id=order_id)) == (10_00, [])


@pytest.mark.parametrize("card", [None, "pm_card_chargeCustomerFail"])
def test_an_order_that_nobody_pays_gives_its_reserved_balance_back(world: World, card: str | None) -> None:
    ada = world.customer(card=card)
    world.grant(ada, 10_00)
    order_id = world.buy(ada, purchase()).id
    assert world.balance(ada) == 0
    world.let_waits_run_out(order_id)
    sweep.sweep()
    assert (world.order(order_id).status, world.balance(ada)) == (OrderStatus.CANCELLED, 10_00)


def test_a_completed_order_is_never_looked_at_again(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    lose_message(world)
    assert world.order(order_id).wake_at is None
    assert sweep.sweep() == 0


def test_without_a_broker_orders_are_restarted_all_the_same(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    stand_still(world, order_id)
    with without_broker():
        assert sweep.sweep() == 1
    assert world.outbox() == [(order_id, Step.VALIDATE_CART)]


def test_what_somebody_has_locked_holds_up_no_other_order_no_trial_and_no_heartbeat(world: World) -> None:
    held, lost = world.place(world.customer(card=None), purchase()), world.place(world.customer(), purchase())
    assert world.run(held).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    tried = world.buy(world.customer(), trial())
    world.pass_time(days=60)
    for order_id in (held, lost):
        stand_still(world, order_id)
    with world.impatient(), world.begin() as holder:
        holder.execute(select(OrderedProduct).where(OrderedProduct.order_id == held).with_for_update())
        holder.execute(select(Subscription).where(Subscription.account_id == tried.account_id).with_for_update())
        assert sweep.sweep() == 1
    assert world.outbox() == [(lost, Step.VALIDATE_CART)]
    assert [row.name for row in world.rows(Heartbeat)] == ["sweep"]
    sweep.sweep()
    assert world.order(held).status is OrderStatus.CANCELLED
    assert [row.status for row in world.rows(Subscription)] == [SubscriptionStatus.TRIAL_ENDED]


def test_an_order_that_cannot_be_looked_after_does_not_stop_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, lost = world.place(world.customer(), purchase()), world.place(world.customer(), purchase())
    for order_id in (broken, lost):
        stand_still(world, order_id)
    look_after = sweep.look_after

    def look(session: Session, order: Order) -> bool:
        if order.id == broken:
            raise ValueError("what nobody thought of")
        return look_after(session, order)

    monkeypatch.setattr(sweep, "look_after", look)
    assert sweep.sweep() == 1
    assert world.outbox() == [(lost, Step.VALIDATE_CART)]
    assert [row.name for row in world.rows(Heartbeat)] == ["sweep"]


def test_without_a_free_connection_a_sweep_ends_at_the_first_order_that_wants_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them would wait for as long as the pool may let it wait."""
    for _ in range(2):
        stand_still(world, world.place(world.customer(card=None), purchase()))
    waited = []

    def wait(_: Session, order: Order) -> bool:
        waited.append(order.id)
        raise NoConnectionFree

    monkeypatch.setattr(sweep, "look_after", wait)
    with pytest.raises(NoConnectionFree):
        sweep.sweep()
    assert len(waited) == 1


def test_each_run_leaves_its_heartbeat(world: World) -> None:
    sweep.sweep()
    assert [row.name for row in world.rows(Heartbeat)] == ["sweep"]
