"""A slow step keeps its order; a dead one's is free a lease later."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from math import inf
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update
from structlog.testing import capture_logs

from models import lease, order_cache, recording, step_ends
from models.orders import Order, OrderLine
from models.states import Step
from tasks import wiring
from tasks.running import leases
from tests.support.messages import eventually
from tests.support.world import World, purchase

LEASE = timedelta(minutes=1)


def lease_left(world: World, order_id: UUID) -> timedelta:
    with world.begin() as session:
        left: timedelta = session.scalar(
            select(Order.lease_until - func.clock_timestamp()).where(Order.id == order_id)
        ) or timedelta(0)
        return left


def test_an_order_that_is_handed_on_is_in_hand_what_it_is_in_the_table(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        before = {"attempts": 2, "restarts": 2, "last_error": "for the test"}
        session.execute(update(Order).where(Order.id == order_id).values(**before))
    with world.begin() as session:
        order = lease.claim(session, order_id, Step.VALIDATE_CART, lease=LEASE)
        assert order is not None
        recording.hand_on(session, order)
        step_ends.write(session)
    stored = world.order(order_id)
    for each in (order, stored):
        assert (each.next_step, each.attempts, each.restarts) == (Step.COMPUTE_PRORATION, 1, 0)
        assert (each.last_error, each.lease_token, each.cancel_requested_at) == (None, order.lease_token, None)


def test_an_order_is_in_hand_with_its_lines_by_position_however_they_lie_in_the_table(world: World) -> None:
    order_id = world.place(world.customer(), purchase("desk"), purchase("chat"), purchase("wiki"))
    with world.begin() as session:
        for off in ("indexscan", "bitmapscan"):
            session.execute(text(f"set local enable_{off} = off"))
        session.execute(update(OrderLine).where(OrderLine.position == 0).values(seats=OrderLine.seats))  # now the last
        order = lease.claim(session, order_id, Step.VALIDATE_CART, lease=LEASE)
        assert order is not None
        assert [line.position for line in order_cache.lines(session, order)] == [0, 1, 2]


def test_renewing_prolongs_the_lease_that_is_still_ours(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        order = lease.claim(session, order_id, Step.VALIDATE_CART, lease=LEASE)
    assert order is not None
    assert order.lease_token is not None
    with world.begin() as session:
        lease.renew(session, {order_id: order.lease_token}, lease=LEASE * 10)
    assert lease_left(world, order_id) > LEASE * 9


def test_renewing_leaves_anothers_lease_alone(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        lease.claim(session, order_id, Step.VALIDATE_CART, lease=LEASE)
    with world.begin() as session:
        lease.renew(session, {order_id: order_id}, lease=LEASE * 10)
    assert lease_left(world, order_id) <= LEASE


def test_a_lease_is_renewed_though_another_orders_row_is_locked(world: World) -> None:
    locked, free = (world.place(world.customer(), purchase()) for _ in range(2))
    held = {}
    for order_id in (locked, free):
        with world.begin() as session:
            order = lease.claim(session, order_id, Step.VALIDATE_CART, lease=LEASE)
        assert order is not None
        assert order.lease_token is not None
        held[order_id] = order.lease_token
    with world.transactions() as another, world.transactions() as keeper:
        another.execute(select(Order.id).where(Order.id == locked).with_for_update())
        lease.renew(keeper, held, lease=LEASE * 10)
    assert lease_left(world, free) > LEASE * 9
    assert lease_left(world, locked) <= LEASE


def test_a_mail_server_that_takes_longer_than_a_lease_gets_the_letter_once(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.policy(lease=timedelta(seconds=0.6))
    world.mailbox.fail("slow", recipient=ada.email, seconds=1.5, times=1)
    world.run(order_id)
    assert world.order(order_id).status == "completed"
    assert len(world.mails(ada)) == 2


def test_a_step_that_hangs_for_longer_than_any_delivery_takes_loses_its_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "keeper", leases.Keeper())
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.policy(lease=timedelta(seconds=0.6))
    wiring.plug_in(replace(world.wiring, longest_delivery=timedelta(seconds=0.1)))
    world.mailbox.fail("slow", recipient=ada.email, seconds=4, times=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(world.run, order_id)
        assert eventually(lambda: hanging.done() or lease_left(world, order_id) < timedelta(0))
        assert not hanging.done()


def test_whoever_has_lost_an_order_leaves_the_lease_of_the_next_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at work in one process: the first was slow beyond its lease, and ends while the second is at it."""
    keeper, order_id, first, second = leases.Keeper(), uuid4(), uuid4(), uuid4()
    monkeypatch.setattr(leases.Keeper, "_renew_for_ever", lambda _: None)

    def take_over() -> None:
        keeper.hold(order_id, second)

    with keeper.working():
        keeper.hold(order_id, first)
        with ThreadPoolExecutor(1) as another:
            another.submit(take_over).result()
    assert keeper._at_work(began_after=-inf) == {order_id: second}
    with keeper.working():
        keeper.hold(order_id, second)
    assert keeper._at_work(began_after=-inf) == {}


def test_trouble_of_any_kind_leaves_the_lease_keeper_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_connections() -> None:
        raise TimeoutError

    monkeypatch.setattr(leases, "begin", out_of_connections)
    with capture_logs() as logged:
        leases.Keeper()._renew({}, timedelta(seconds=8))
    assert [(entry["event"], entry["error"]) for entry in logged] == [("leases not renewed", "TimeoutError")]
