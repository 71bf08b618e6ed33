"""How many streams of events a key may have, and that they end with it, over real HTTP."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Executable, delete, func, select, update

from api_stub.event_watch import EventWatch, News
from models.api_keys import ApiKey, ApiKeyAccount
from models.orders import Order
from tasks.upstream import api_keys
from tasks.upstream.api_keys import Scope
from tests.api.conftest import Api, problem, purchase
from tests.api.test_order_events import follow
from tests.support.world import Customer, World


def opened(address: str, key: str, order_id: str) -> tuple[int, socket.socket]:
    """The status of the answer, and the connection on which it goes on."""
    host, _, port = address.removeprefix("http://").partition(":")
    line = socket.create_connection((host, int(port)), timeout=240)
    head = f"GET /v1/orders/{order_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
    line.sendall(head.encode())
    return int(line.recv(64).split()[1]), line


def test_a_key_may_have_fifty_streams_at_a_time(live: str, world: World, api: Api, ada: Customer) -> None:
    order_id, other = api.order(ada, purchase()), api.key_for(ada)
    with ExitStack() as open_lines, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda _: opened(live, api.key, order_id), range(60)))
        lines = [open_lines.enter_context(line) for status, line in answers if status == 200]
        assert sorted(status for status, _ in answers) == [200] * 50 + [429] * 10
        for status, line in answers:
            if status == 429:
                line.close()
        status, line = opened(live, other, order_id)
        open_lines.enter_context(line)
        assert status == 200
        headers = {"Authorization": f"Bearer {api.key}"}
        refused = httpx.get(f"{live}/v1/orders/{order_id}/events", headers=headers, timeout=240)
        assert problem(refused) == (429, "too-many-streams")
        assert refused.headers["retry-after"] == "10"
        lines[0].close()
        give_up_at = time.monotonic() + 240
        while (again := opened(live, api.key, order_id))[0] == 429:
            again[1].close()
            assert time.monotonic() < give_up_at, "a stream that has ended still counts"
        again[1].close()


def test_a_stream_ends_when_its_key_is_revoked_and_others_go_on(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    order_id, others = api.order(ada, purchase()), api.key
    api.key = api.key_for(ada, name="leaked")
    leaked = follow(live, api, order_id)
    next(leaked)
    api.key = others
    other = follow(live, api, order_id)
    next(other)
    with world.begin() as session:
        api_keys.revoke(session, name="leaked", by="root")
    assert list(leaked) == []
    world.run(world.rows(Order)[0].id)
    assert [kind for _, kind, _ in other][-1] == "order.completed"


def test_a_stream_ends_when_its_key_may_no_longer_act_for_the_account_and_those_of_others_go_on(
    live: str, world: World, api: Api, ada: Customer
) -> None:
    tom = world.customer()
    api.key = api.key_for(ada, tom, name="shop")
    adas, toms = api.order(ada, purchase()), api.order(tom, purchase())
    taken, kept = follow(live, api, adas), follow(live, api, toms)
    assert [next(stream)[1] for stream in (taken, kept)] == ["order.placed"] * 2
    with world.begin() as session:
        api_keys.disallow(session, name="shop", account_ids=[ada.account_id], by="root")
    assert list(taken) == []
    world.run(UUID(toms))
    assert [kind for _, kind, _ in kept][-1] == "order.completed"


@pytest.mark.parametrize(
    "takes",
    [
        update(ApiKey).values(revoked_at=func.now()),
        update(ApiKey).values(scopes=[each.value for each in Scope if each is not Scope.ORDERS_READ]),
        delete(ApiKeyAccount),
    ],
    ids=["the key", "the scope", "the account"],
)
def test_of_what_is_noted_after_its_key_lost_the_right_a_stream_tells_nothing(
    world: World, api: Api, ada: Customer, takes: Executable
) -> None:
    order_id = UUID(api.order(ada, purchase()))
    with world.begin() as session:
        (key_id,) = session.scalars(select(ApiKey.id))
        session.execute(takes)

    async def told() -> News | None:
        with EventWatch().follow(order_id, key_id=key_id, after=0) as follower:
            return await follower.news.get()

    assert asyncio.run(asyncio.wait_for(told(), timeout=240)) is None
