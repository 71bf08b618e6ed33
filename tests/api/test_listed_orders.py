"""Orders are listed for the key and the statuses asked for, page by page, by an index."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from models.orders import Order
from tests.api.conftest import Api, problem, purchase
from tests.support import world as worlds
from tests.support.engines import forget_connections
from tests.support.many_orders import Plans, copy_completed_orders
from tests.support.world import Customer, World


def test_orders_are_listed_newest_first_page_by_page(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    api.use(ada, bob)
    placed = [api.order(ada, purchase(product)) for product in ("desk", "chat", "wiki")]
    of_bob = api.order(bob, purchase())
    mine = {"account_id": str(ada.account_id), "limit": 2}
    first = api.get("/v1/orders", params=mine).json()
    assert [order["id"] for order in first["orders"]] == [placed[2], placed[1]]
    second = api.get("/v1/orders", params=mine | {"before": first["next_before"]}).json()
    assert ([order["id"] for order in second["orders"]], second["next_before"]) == ([placed[0]], None)
    assert [order["id"] for order in api.get("/v1/orders").json()["orders"]] == [of_bob, *reversed(placed)]


def test_orders_are_listed_by_status(world: World, api: Api, ada: Customer) -> None:
    done, still_open = api.order(ada, purchase()), api.order(ada, purchase("chat"))
    world.run(next(order.id for order in world.rows(Order) if str(order.id) == done))
    listed = {
        status: [order["id"] for order in api.get("/v1/orders", params={"status": status}).json()["orders"]]
        for status in ("completed", "open", "rejected")
    }
    assert listed == {"completed": [done], "open": [still_open], "rejected": []}


def test_orders_of_several_statuses_are_listed_by_one_request(world: World, api: Api, ada: Customer) -> None:
    done, still_open, given_up = (api.order(ada, purchase(product)) for product in ("desk", "chat", "wiki"))
    world.run(UUID(done))
    api.post(f"/v1/orders/{given_up}/cancel")
    world.run(UUID(given_up))

    def listed(query: str) -> list[str]:
        return [order["id"] for order in api.get(f"/v1/orders?{query}").json()["orders"]]

    assert listed("status=open&status=payment_declined&status=needs_attention") == [still_open]
    assert listed("status=completed&status=open") == [still_open, done]
    assert listed("status=open&status=open") == [still_open]
    wrong = api.get("/v1/orders?status=open&status=opn")
    assert (problem(wrong), [each["parameter"] for each in wrong.json()["errors"]]) == (
        (422, "invalid-request"), ["status"],
    )  # fmt: skip


def test_orders_that_are_final_or_not_are_listed_whatever_their_status_is(
    world: World, api: Api, ada: Customer
) -> None:
    done, still_open, given_up = (api.order(ada, purchase(product)) for product in ("desk", "chat", "wiki"))
    world.run(UUID(done))
    api.post(f"/v1/orders/{given_up}/cancel")
    world.run(UUID(given_up))

    def listed(query: str) -> list[tuple[str, bool]]:
        answer = api.get(f"/v1/orders?{query}").json()
        return [(order["id"], order["final"]) for order in answer["orders"]]

    assert listed("final=false") == [(still_open, False)]
    assert listed("final=true") == [(given_up, True), (done, True)]
    assert listed("final=true&status=completed&status=open") == [(done, True)]
    assert listed("final=false&status=completed") == []
    wrong = api.get("/v1/orders?final=yes")
    assert (problem(wrong), wrong.json()["errors"]) == (
        (422, "invalid-request"), [{"parameter": "final", "detail": "must be true or false"}],
    )  # fmt: skip


def test_an_order_is_listed_with_what_it_is_for(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase("desk", seats=10), worlds.trial("chat", seats=2))
    [listed] = api.get("/v1/orders").json()["orders"]
    assert listed["products"] == [
        {"action": "purchase", "product": "desk", "tier": "team", "seats": 10, "interval": "month"},
        {"action": "trial", "product": "chat", "tier": "team", "seats": 2, "interval": None},
    ]


def test_a_page_of_many_orders_takes_no_more_queries_than_one_of_a_single_order(
    world: World, api: Api, ada: Customer
) -> None:
    asked: list[str] = []
    event.listen(world.transactions.engine, "after_cursor_execute", lambda *told: asked.append(told[2]))

    def queries() -> int:
        asked.clear()
        assert api.get("/v1/orders").status_code == 200
        return len(asked)

    world.buy(ada, worlds.purchase("desk"))
    queries()  # the key's first use is noted
    of_one = queries()
    for product in ("chat", "wiki"):
        world.buy(ada, worlds.purchase(product))
    assert queries() == of_one


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders",
        "/v1/orders?final=false",
        "/v1/orders?status=open",
        "/v1/orders?status=completed&before=5000",
        "/v1/accounts",
    ],
)
def test_a_list_is_planned_for_the_key_and_statuses_asked_for_however_often_it_is(
    world: World, api: Api, ada: Customer, path: str
) -> None:
    """One plan for all keys and statuses cannot use an index of orders that have not ended, for example."""
    plans: list[tuple[int, int]] = []

    def look(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "LIMIT" in statement:
            asked = "select sum(generic_plans), sum(custom_plans) from pg_prepared_statements where statement ~ 'LIMIT'"
            generic, custom = connection.connection.execute(asked, prepare=False).fetchone()
            plans.append((int(generic), int(custom)))

    api.order(ada, purchase())
    engine = world.transactions.engine
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "prepare_threshold", 0))
    forget_connections(engine)
    event.listen(engine, "after_cursor_execute", look)
    for _ in range(8):
        assert api.get(path).status_code == 200
    assert plans[-1] == (0, 8)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("status=open", "ix_orders_not_ended"),
        ("status=needs_attention", "ix_orders_not_ended"),
        ("final=false", "ix_orders_not_ended"),
        ("status=rejected", "ix_orders_ended_without"),
        ("status=refunded", "ix_orders_ended_without"),
    ],
)
def test_orders_of_which_there_are_few_are_found_by_an_index_of_those(
    world: World, api: Api, ada: Customer, asked: str, index: str
) -> None:
    """Their key has so many accounts that it does not narrow the list."""
    api.order(ada, purchase())
    copy_completed_orders(world, ada)
    with Plans(world, "orders") as plans:
        assert api.get(f"/v1/orders?{asked}").status_code == 200
    [plan] = plans.noted
    assert index in plan, plan
