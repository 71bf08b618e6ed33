"""An order's timeline as server-sent events, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from models import progress
from models.orders import Order
from models.states import OrderStatus
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World

pytestmark = pytest.mark.timeout(40)  # heartbeats keep a stream alive that never ends


def follow(
    address: str, api: Api, order_id: str, last_seen: int | None = None
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(id, kind, entry) of each event, until the stream ends."""
    headers = {"Authorization": f"Bearer {api.key}"} | ({"Last-Event-ID": str(last_seen)} if last_seen else {})
    url = f"{address}/v1/orders/{order_id}/events"
    with httpx.stream("GET", url, headers=headers, timeout=15) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if not line and "id" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}
            name, _, value = line.partition(": ")
            fields[name] = value


def test_events_arrive_as_the_order_goes_and_the_stream_ends_with_it(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase())
    stream = follow(live, api, order_id)
    assert next(stream)[1] == "order.placed"  # what follows is written while we listen
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.COMPLETED
    kinds = ["order.placed", *(kind for _, kind, _ in stream)]
    assert kinds == world.timeline(world.rows(Order)[0].id)
    assert kinds[-1] == "order.completed"


def test_a_stream_goes_on_after_the_last_event_seen(live: str, world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    world.run(world.rows(Order)[0].id)
    whole = list(follow(live, api, order_id))
    assert [entry for _, _, entry in whole] == api.get(f"/v1/orders/{order_id}").json()["timeline"]
    assert list(follow(live, api, order_id, last_seen=whole[2][0])) == whole[3:]


def test_many_followers_of_one_order_all_see_everything(live: str, world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    seen: list[list[str]] = [[] for _ in range(5)]

    def listen(kinds: list[str]) -> None:
        kinds.extend(kind for _, kind, _ in follow(live, api, order_id))

    listeners = [threading.Thread(target=listen, args=(kinds,)) for kinds in seen]
    for listener in listeners:
        listener.start()
    world.run(world.rows(Order)[0].id)
    for listener in listeners:
        listener.join(timeout=15)
    assert seen == [world.timeline(world.rows(Order)[0].id)] * 5


def test_a_refund_after_completion_is_part_of_the_stream(live: str, world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    order = world.run(world.rows(Order)[0].id)
    with world.begin() as session:
        progress.note(session, order.id, "refund.requested", {"by": "support"})
        progress.note(session, order.id, "order.refunded", {})
    kinds = [kind for _, kind, _ in follow(live, api, order_id)]
    assert kinds[-3:] == ["order.completed", "refund.requested", "order.refunded"]


def test_who_has_seen_everything_of_a_final_order_is_told_not_to_come_back(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase())
    world.run(world.rows(Order)[0].id)
    last = api.get(f"/v1/orders/{order_id}").json()["timeline"][-1]["id"]
    answer = api.get(f"/v1/orders/{order_id}/events", headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.text) == (204, "")


def test_an_empty_last_event_id_is_none_seen(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    world.run(world.rows(Order)[0].id)
    every = api.get(f"/v1/orders/{order_id}/events").text
    assert api.get(f"/v1/orders/{order_id}/events", headers={"Last-Event-ID": ""}).text == every != ""


def test_a_last_event_id_that_is_none_is_refused(api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    answer = api.get(f"/v1/orders/{order_id}/events", headers={"Last-Event-ID": "yesterday"})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["header"] == "Last-Event-ID"
