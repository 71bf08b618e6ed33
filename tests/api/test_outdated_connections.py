"""A migration alters the type of a column under prepared statements: whoever asks meanwhile is answered as if nothing had happened."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.orm import Session

from models.orders import Order, Quote
from tasks import wiring
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World
from worker.database import Transactions, set_up_sessions


@pytest.fixture
def given_up(world: World) -> Iterator[list[str]]:
    """Why connections were given up, while statements are prepared at their second use."""
    engine = create_engine(world.transactions.engine.url, pool_size=1, connect_args={"prepare_threshold": 1})
    set_up_sessions(engine)
    seen: list[str] = []
    event.listen(engine, "invalidate", lambda _, __, error: seen.append(str(error)))
    wiring.plug_in(replace(world.wiring, begin=Transactions(engine)))
    yield seen
    wiring.plug_in(world.wiring)
    engine.dispose()


def alter(world: World, table: str, column: str) -> None:
    with world.begin() as session:
        session.execute(text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(999)"))


def outdated(given_up: list[str]) -> list[bool]:
    return ["cached plan must not change result type" in why for why in given_up]


def test_what_is_read_is_read_again(world: World, api: Api, ada: Customer, given_up: list[str]) -> None:
    for _ in range(3):
        before = api.get("/v1/accounts")
    alter(world, "accounts", "name")
    after = api.get("/v1/accounts")
    assert (after.status_code, after.json()) == (200, before.json())
    assert outdated(given_up) == [True]


def test_what_is_written_is_written_once(world: World, api: Api, given_up: list[str]) -> None:
    """The order is cancelled when its timeline, which is in the answer, cannot be read."""
    customers = [world.customer() for _ in range(3)]
    api.use(*customers)
    *before, order_id = [api.order(customer, purchase()) for customer in customers]
    for other in before:
        api.post(f"/v1/orders/{other}/cancel")
    alter(world, "order_events", "kind")
    cancelled = api.post(f"/v1/orders/{order_id}/cancel", {})
    assert (cancelled.status_code, outdated(given_up)) == (200, [True])
    assert world.timeline(UUID(order_id)) == world.timeline(UUID(before[0]))


def test_a_body_is_there_for_both_tries(world: World, api: Api, ada: Customer, given_up: list[str]) -> None:
    for _ in range(3):
        api.quote(ada, purchase())
    alter(world, "accounts", "name")
    assert (api.quote(ada, purchase()).status_code, outdated(given_up)) == (201, [True])
    assert len(world.rows(Quote)) == 4


def test_a_database_that_does_not_answer_in_time_is_asked_once(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    begun: list[int] = []

    def begin() -> AbstractContextManager[Session]:
        begun[-1] += 1
        return impatient()

    with world.impatient():
        impatient = wiring.wired().begin
        wiring.plug_in(replace(world.wiring, begin=begin))
        with world.begin() as another:
            another.execute(select(Order).where(Order.id == UUID(order_id)).with_for_update())
            begun.append(0)
            assert problem(api.post(f"/v1/orders/{order_id}/cancel")) == (503, "temporarily-unavailable")
        begun.append(0)
        assert api.post(f"/v1/orders/{order_id}/cancel").status_code == 200
    assert begun[0] == begun[1] == 2
