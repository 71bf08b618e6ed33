"""A cancellation that was accepted, and whose answer was lost, may be sent again: answered, and done once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from models.payments import RefundAttempt
from models.states import OrderStatus, Step
from tasks.operating import support_refund
from tests.api.conftest import Api, problem, purchase, trial
from tests.api.repeated import cancel, in_their_order, statuses
from tests.support import world as worlds
from tests.support.payment import spoil_activation
from tests.support.world import Customer, World


@pytest.mark.parametrize(
    ("until", "ends"), [(Step.COLLECT_PAYMENT, "cancelled"), (Step.ACTIVATE_SUBSCRIPTION, "refunded")]
)
def test_a_cancellation_sent_again_is_answered_however_the_order_ended(
    world: World, api: Api, ada: Customer, until: Step, ends: str
) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.run(order_id, until=until)
    assert statuses(cancel(api, order_id), cancel(api, order_id)) == [(200, "open")] * 2
    world.run(order_id)
    timeline = world.timeline(order_id)
    assert statuses(cancel(api, order_id)) == [(200, ends)]
    assert world.timeline(order_id) == timeline
    assert timeline.count("order.cancel_requested") == 1


def test_the_same_cancellation_several_times_at_once_is_one(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: cancel(api, order_id), range(4)))
    assert in_their_order(answers) == [(200, "open")] * 4
    assert world.timeline(order_id).count("order.cancel_requested") == 1


def test_a_cancellation_whose_refund_came_to_a_stop_is_answered(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    cancel(api, order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    assert statuses(cancel(api, order_id)) == [(200, "needs_attention")]
    assert world.rows(RefundAttempt) == []


def test_a_cancellation_of_an_order_that_goes_back_by_itself_may_be_sent_again(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = UUID(api.order(ada, trial("chat"), purchase()))
    spoil_activation(world, ada, order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    assert statuses(cancel(api, order_id)) == [(200, "open")]
    ended = world.run(order_id)
    assert (ended.status, ended.reason, ended.cancel_requested_at) == (OrderStatus.REFUNDED, "trial-used", None)
    assert statuses(cancel(api, order_id)) == [(200, "refunded")]


def test_what_support_refunded_cannot_be_cancelled_by_who_never_asked_for_that(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = world.buy(ada, worlds.purchase()).id
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="asked by phone", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert problem(cancel(api, order_id)) == (409, "too-late")
