"""A confirmation that was accepted, and whose answer was lost, may be sent again: answered, and done once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest

from models.states import OrderStatus
from tests.api.conftest import Api, problem, purchase
from tests.api.repeated import in_their_order, reopened, statuses
from tests.support.world import MONTH, Customer, World


@pytest.fixture
def asks(world: World, api: Api, ada: Customer) -> UUID:
    """An order that waits for a fresh quote to be accepted."""
    order_id = UUID(api.order(ada, purchase(seats=10)))
    ask_again(world, order_id, 11_00)
    return order_id


def ask_again(world: World, order_id: UUID, price: int) -> None:
    world.reprice("desk", "team", MONTH, price)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION


def proposed(world: World, order_id: UUID) -> str:
    return str(world.order(order_id).proposed_quote_id)


def confirm(api: Api, order_id: UUID, quote_id: str) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": quote_id})


def test_a_confirmation_sent_again_is_answered_and_done_once(world: World, api: Api, ada: Customer, asks: UUID) -> None:
    fresh = proposed(world, asks)
    assert statuses(confirm(api, asks, fresh), confirm(api, asks, fresh)) == [(200, "open")] * 2
    assert (world.order(asks).revision, reopened(world, asks)) == (2, 1)
    world.run(asks)
    world.pass_time(days=1)  # the quote has expired by then
    assert statuses(confirm(api, asks, fresh)) == [(200, "completed")]
    assert world.charged(ada) == [130_90]


def test_the_same_confirmation_several_times_at_once_is_one(world: World, api: Api, asks: UUID) -> None:
    fresh = proposed(world, asks)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: confirm(api, asks, fresh), range(4)))
    assert in_their_order(answers) == [(200, "open")] * 4
    assert (world.order(asks).revision, reopened(world, asks)) == (2, 1)


def test_an_old_confirmation_never_accepts_the_amount_that_is_asked_about_now(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    old = proposed(world, asks)
    confirm(api, asks, old)
    ask_again(world, asks, 12_00)
    answer = confirm(api, asks, old)
    assert statuses(answer) == [(200, "awaiting_confirmation")]
    assert answer.json()["next"]["quote"]["totals"]["due"]["minor"] == 142_80
    assert (world.order(asks).due_minor, world.charged(ada)) == (130_90, [])


def test_a_confirmation_before_the_last_one_is_answered_too_and_changes_nothing(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    old = proposed(world, asks)
    confirm(api, asks, old)
    ask_again(world, asks, 12_00)
    confirm(api, asks, proposed(world, asks))
    assert statuses(confirm(api, asks, old)) == [(200, "open")]
    world.run(asks)
    assert world.charged(ada) == [142_80]


def test_another_confirmation_is_refused_where_none_is_waited_for(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    placed_on = str(world.order(asks).quote_id)
    confirm(api, asks, proposed(world, asks))
    never_accepted = api.quote(ada, purchase(seats=10)).json()["id"]
    for quote_id in (placed_on, never_accepted):
        assert problem(confirm(api, asks, quote_id)) == (409, "not-waiting")


def test_what_one_order_accepted_is_nothing_to_another(world: World, api: Api, ada: Customer, asks: UUID) -> None:
    fresh = proposed(world, asks)
    confirm(api, asks, fresh)
    other = UUID(api.order(ada, purchase("chat")))
    assert problem(confirm(api, other, fresh)) == (409, "not-waiting")


def test_the_timeline_says_which_quote_was_accepted(world: World, api: Api, asks: UUID) -> None:
    fresh = proposed(world, asks)
    timeline = confirm(api, asks, fresh).json()["timeline"]
    assert [(each["kind"], each["facts"]["quote_id"]) for each in timeline[-1:]] == [("order.reopened", fresh)]
