"""What a second look at the pipeline's corners found: long waits, parked ways back, late cancellations."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from models import waiting_orders
from models.states import OrderStatus, Step
from tasks import placement, sweep
from tasks.cancellation import BY_CUSTOMER, BY_US
from tasks.placement import RequestRefused
from tasks.running import leases
from tests.support.payment import refundable
from tests.support.world import World, purchase

ASKS_BANK, DECLINES = "pm_card_authenticationRequired", "pm_card_chargeCustomerFail"


def test_an_authentication_has_its_whole_time_however_long_the_cards_before_it_took(world: World) -> None:
    world.policy(quote_lifetime=timedelta(days=365))
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.time = world.order(order_id).created_at.replace(microsecond=0) + timedelta(days=8)
    world.give_card(ada, ASKS_BANK)
    world.pay_again(order_id)
    world.run(order_id)
    world.let_waits_run_out(order_id)
    sweep.sweep()
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION


def test_why_an_order_turned_back_is_still_known_after_a_person_resumed_it(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    with world.begin() as session:
        waiting = (OrderStatus.NEEDS_ATTENTION,)
        assert waiting_orders.reopen(session, order_id, waiting_in=waiting, step=Step.REFUND_PAYMENT, why="resumed")
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "cancelled-by-customer")


def test_an_order_parked_on_its_way_back_is_not_cancelled(world: World) -> None:
    _, order_id = refundable(world)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    with pytest.raises(RequestRefused, match="being undone already"):
        world.cancel(order_id)


def test_who_is_cancelled_by_us_while_the_chain_runs_is_told_so(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with world.begin() as session:
        placement.cancel(session, order_id=order_id, by="ops", now=world.time, reason=BY_US)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, BY_US)


def test_an_order_that_was_parked_after_its_cancellation_goes_on_by_another(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.cancel(order_id)
    world.park(order_id)
    with world.begin() as session:
        again = placement.cancel(session, order_id=order_id, by="ops", now=world.time, reason=BY_US)
    assert again is OrderStatus.OPEN
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, BY_CUSTOMER), "the customer asked first"


def test_trouble_of_any_kind_leaves_the_lease_keeper_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_connections() -> None:
        raise TimeoutError

    monkeypatch.setattr(leases, "begin", out_of_connections)
    with capture_logs() as logged:
        leases.Keeper()._renew({}, timedelta(seconds=8))
    assert [(entry["event"], entry["error"]) for entry in logged] == [("leases not renewed", "TimeoutError")]
