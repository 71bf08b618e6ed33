"""An order's timeline as server-sent events, over real HTTP."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from api_stub import event_watch
from api_stub.event_watch import EventWatch, Follower, News
from api_stub.routes import order_events
from models import attention, timeline, waiting_orders
from models.api_keys import ApiKey
from models.orders import Order, OrderEvent
from models.states import OrderStatus, Step
from tasks.operating import resumption, support_refund
from tests.api.conftest import Api, problem, purchase
from tests.support.contract import DOCUMENT
from tests.support.world import Customer, World


def key_id_of(world: World) -> UUID:
    (key,) = world.rows(ApiKey)
    return UUID(str(key.id))


async def next_of(follower: Follower) -> News:
    news = await follower.news.get()
    assert news is not None
    return news


def follow(
    address: str, api: Api, order_id: str, last_seen: int | None = None
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(id, kind, entry) of each event, until the stream ends."""
    headers = {"Authorization": f"Bearer {api.key}"} | ({"Last-Event-ID": str(last_seen)} if last_seen else {})
    url = f"{address}/v1/orders/{order_id}/events"
    with httpx.stream("GET", url, headers=headers, timeout=240) as stream:
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


def test_a_stream_ends_after_a_time_and_who_comes_back_misses_nothing(
    live: str, world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_events, "LONGEST", 1.0)
    order_id = api.order(ada, purchase())
    (seen, kind, _) = list(follow(live, api, order_id))[-1]
    assert kind == "order.placed"  # and the order is not final
    world.run(UUID(order_id))
    more = [seen for seen, _, _ in follow(live, api, order_id, last_seen=seen)]
    assert more == [entry["id"] for entry in api.get(f"/v1/orders/{order_id}").json()["timeline"]][1:]
    assert api.get(f"/v1/orders/{order_id}/events", headers={"Last-Event-ID": str(more[-1])}).status_code == 204


def test_a_reader_is_told_every_way_that_a_stream_ends() -> None:
    told = DOCUMENT["paths"]["/v1/orders/{order_id}/events"]["get"]["description"]
    assert f"after {order_events.LONGEST // 60} minutes" in told
    assert {word for word in ("server stops", "revoked", "Last-Event-ID", "204") if word not in told} == set()


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
        listener.join(timeout=240)
    assert seen == [world.timeline(world.rows(Order)[0].id)] * 5


def test_who_comes_while_others_are_told_the_news_misses_nothing(
    world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.order(ada, purchase())
    order, key_id = world.run(world.rows(Order)[0].id), key_id_of(world)
    last_but_one, last = [event.id for event in world.rows(OrderEvent)][-2:]

    async def told() -> list[int]:
        watch, late = EventWatch(), ExitStack()
        loop, read = asyncio.get_running_loop(), event_watch.read_news
        comers: list[Follower] = []

        async def come() -> None:
            comers.append(late.enter_context(watch.follow(order.id, key_id=key_id, after=0)))

        def read_while_one_comes(wanted: Mapping[UUID, int]) -> list[News]:
            if not comers:
                asyncio.run_coroutine_threadsafe(come(), loop).result()
            return read(wanted)

        monkeypatch.setattr(event_watch, "read_news", read_while_one_comes)
        with watch.follow(order.id, key_id=key_id, after=last_but_one) as early, late:
            assert (await next_of(early)).event.id == last
            return [(await next_of(comers[0])).event.id for _ in world.timeline(order.id)]

    assert asyncio.run(asyncio.wait_for(told(), timeout=240)) == [event.id for event in world.rows(OrderEvent)]


@pytest.mark.parametrize("trouble", [KeyError("paused"), OperationalError("", None, Exception("away"))])
def test_a_round_that_fails_is_said_and_followed_by_others(
    world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    order_id, read, failed = UUID(api.order(ada, purchase())), event_watch.read_news, list[Mapping[UUID, int]]()
    key_id = key_id_of(world)

    def fails_first(wanted: Mapping[UUID, int]) -> list[News]:
        if not failed:
            failed.append(wanted)
            raise trouble
        return read(wanted)

    async def told() -> str:
        with EventWatch().follow(order_id, key_id=key_id, after=0) as follower:
            return (await next_of(follower)).event.kind

    monkeypatch.setattr(event_watch, "read_news", fails_first)
    monkeypatch.setattr(event_watch, "AFTER_TROUBLE", 0.01)
    with capture_logs() as logs:
        assert asyncio.run(asyncio.wait_for(told(), timeout=240)) == "order.placed"
    assert [(line["log_level"], line["event"]) for line in logs if line["event"].startswith("event streams")] == [
        ("error", "event streams are told nothing")
        if isinstance(trouble, KeyError)
        else ("warning", "event streams wait for the database")
    ]


def test_who_comes_after_the_rounds_have_ended_starts_others(world: World, api: Api, ada: Customer) -> None:
    order_id, key_id = UUID(api.order(ada, purchase())), key_id_of(world)

    async def told() -> str:
        watch = EventWatch()
        with watch.follow(order_id, key_id=key_id, after=0) as follower:
            await follower.news.get()
            assert watch._rounds is not None
            watch._rounds.cancel()
            await asyncio.wait([watch._rounds])
        with watch.follow(order_id, key_id=key_id, after=0) as follower:
            return (await next_of(follower)).event.kind

    assert asyncio.run(asyncio.wait_for(told(), timeout=240)) == "order.placed"


def test_an_order_whose_status_only_a_newer_release_knows_is_followed(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    with world.begin() as session:
        session.execute(text("ALTER DOMAIN order_status DROP CONSTRAINT ck_order_status"))
        session.execute(text("UPDATE orders SET status = 'paused', next_step = NULL"))
    assert [(news.event.kind, news.is_final) for news in event_watch.read_news({order_id: 0})] == [
        ("order.placed", False)
    ]


def test_a_refund_after_completion_is_part_of_the_stream(live: str, world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    order = world.run(world.rows(Order)[0].id)
    with world.begin() as session:
        timeline.note(session, order.id, "refund.requested", {"by": "support"})
        timeline.note(session, order.id, "order.refunded", {})
    kinds = [kind for _, kind, _ in follow(live, api, order_id)]
    assert kinds[-3:] == ["order.completed", "refund.requested", "order.refunded"]


@pytest.mark.parametrize("seen", [None, "order.completed"])
def test_a_stream_ends_with_what_was_noted_after_the_order_was_final(
    live: str, world: World, api: Api, ada: Customer, seen: str | None
) -> None:
    order_id = api.order(ada, purchase())
    order = world.run(world.rows(Order)[0].id)
    ids = {event.kind: event.id for event in world.rows(OrderEvent)}
    with world.begin() as session:
        timeline.note(session, order.id, "vat.followed_up", {})
        timeline.note(session, order.id, "invoice.paid", {})
    kinds = [kind for _, kind, _ in follow(live, api, order_id, last_seen=ids.get(seen or ""))]
    noted = world.timeline(order.id)
    assert kinds == noted[noted.index(seen) + 1 if seen else 0 :]
    assert kinds[-2:] == ["vat.followed_up", "invoice.paid"]


def test_a_stream_ends_where_something_is_noted_together_with_the_end(live: str, world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    order_id = api.order(customer, purchase())
    assert world.run(UUID(order_id)).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    stream = follow(live, api, order_id)
    assert "order.awaiting_payment_details" in (kind for _, kind, _ in stream)
    with world.begin() as session:
        order = session.scalars(select(Order)).one()
        assert waiting_orders.cancel(session, order, reason="cancelled-by-customer")
        timeline.note(session, order.id, "charge.unexpected", {})
    assert [kind for _, kind, _ in stream] == ["order.cancelled", "charge.unexpected"]


def test_an_order_that_needs_a_person_after_its_end_is_followed_on(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase())
    order = world.run(world.rows(Order)[0].id)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="damaged", now=world.time)
    world.run(order.id)
    with world.begin() as session:
        assert attention.park_refunded(session, order.id, error="the refund failed")
    stream = follow(live, api, order_id)
    kinds = list(itertools.takewhile(lambda kind: kind != "order.needs_attention", (kind for _, kind, _ in stream)))
    assert kinds[-1] == "order.refunded"
    with world.begin() as session:
        resumption.resume(session, order.id, resumption.Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by="ops")
    assert world.run(order.id).status is OrderStatus.REFUNDED
    kinds = [kind for _, kind, _ in stream]
    assert (kinds[0], kinds[-1]) == ("order.reopened", "order.refunded")


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
    assert [error["header"] for error in answer.json()["errors"]] == ["Last-Event-ID"]
