"""What counts towards the limit of requests, and how little a request costs that nobody may send."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastapi.dependencies.utils
import pytest
from fastapi.dependencies.utils import request_body_to_args
from redis import Redis
from structlog.testing import capture_logs

from api_stub import broker_check
from api_stub.edge import rate_limit
from api_stub.edge.rate_limit import PAUSE, RateLimit
from api_stub.problems.details import Problem
from tasks.upstream import api_keys
from tests.api.conftest import Api, problem, purchase, state
from tests.support.messages import eventually
from tests.support.world import Customer, World
from worker.embedded import RedisServer
from worker.embedded.redis_server import redis as embedded_redis


def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    api: Api, world: World, ada: Customer, redis_server: RedisServer
) -> None:
    state(api).rate_limit = RateLimit("3/minute", redis_server.url)
    assert [api.get("/v1/orders").status_code for _ in range(3)] == [200, 200, 200]
    answer = api.get("/v1/orders")
    assert problem(answer) == (429, "too-many-requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    api.use(ada)
    assert api.get("/v1/orders").status_code == 200  # another key counts by itself


def test_without_redis_nobody_is_turned_away(api: Api, ada: Customer, unused_tcp_port: int) -> None:
    state(api).rate_limit = RateLimit("1/minute", f"redis://127.0.0.1:{unused_tcp_port}/0")
    with capture_logs() as logs:
        assert [api.get("/v1/orders").status_code for _ in range(3)] == [200, 200, 200]
    assert [entry["event"] for entry in logs].count("rate limit cannot count") == 1


def test_after_a_failover_it_says_what_redis_said_and_leaves_the_demoted_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps connections, and PRORATA_BROKER_URL may lead to its successor by now: each pause is followed by a new connection."""
    clock = [100.0]
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    with embedded_redis(tmp_path, persistence=False) as server, Redis.from_url(server.url) as operator:
        limit, own = RateLimit("2/minute", server.url), operator.client_id()
        limit.count("shop")
        operator.replicaof("127.0.0.1", 1)
        with capture_logs() as logs:
            limit.count("shop")
        assert eventually(lambda: [client["id"] for client in operator.client_list()] == [str(own)])
        operator.replicaof("no", "one")
        clock[0] += PAUSE
        limit.count("shop")
        with pytest.raises(Problem):
            limit.count("shop")
    [told] = logs
    assert (told["event"], told["advice"]) == ("rate limit cannot count", broker_check.REPLICA)
    assert "You can't write against a read only replica." in told["said"]


def test_a_request_that_makes_no_sense_counts_too(
    world: World, api: Api, ada: Customer, redis_server: RedisServer
) -> None:
    api.client.app.state.rate_limit = RateLimit("3/minute", redis_server.url)  # type: ignore[attr-defined]
    statuses = [api.post("/v1/orders", {}).status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/quotes"])
def test_a_long_body_is_not_validated_for_a_key_that_is_made_up(
    api: Api, ada: Customer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[object] = []

    async def watched(*args: Any, **kwargs: Any) -> Any:
        validated.append(kwargs["received_body"])
        return await request_body_to_args(*args, **kwargs)

    monkeypatch.setattr(fastapi.dependencies.utils, "request_body_to_args", watched)
    wrong = {f"n{number}": 0 for number in range(2000)}
    assert problem(api.post(path, wrong)) == (422, "invalid-request")
    api.key = "prk_made_up"
    assert problem(api.post(path, wrong)) == (401, "unauthorized")
    assert validated == [wrong]


def test_a_long_body_counts_once(api: Api, ada: Customer, redis_server: RedisServer) -> None:
    api.client.app.state.rate_limit = RateLimit("4/minute", redis_server.url)  # type: ignore[attr-defined]
    lines = [purchase(product=f"product-{number}") for number in range(100)]
    answers = [api.quote(ada, *lines).status_code for _ in range(2)]
    answers += [api.post("/v1/quotes", {"lines": lines}).status_code for _ in range(3)]
    assert answers == [422] * 4 + [429]


def test_keys_that_are_made_up_count_together_and_take_nothing_from_those_there_are(
    api: Api, ada: Customer, redis_server: RedisServer
) -> None:
    api.client.app.state.rate_limit = RateLimit("3/minute", redis_server.url)  # type: ignore[attr-defined]
    with Redis.from_url(redis_server.url) as redis:
        before = redis.dbsize()
        made_up = [api.get("/v1/orders", headers={"Authorization": f"Bearer prk_{n}"}).status_code for n in range(9)]
        assert redis.dbsize() - before <= 2  # the window that is, and the one before
    assert made_up == [401] * 3 + [429] * 6
    assert [api.get("/v1/orders").status_code for _ in range(4)] == [200] * 3 + [429]


def test_a_revoked_key_counts_as_one_that_is_made_up(
    world: World, api: Api, ada: Customer, redis_server: RedisServer
) -> None:
    api.client.app.state.rate_limit = RateLimit("1/minute", redis_server.url)  # type: ignore[attr-defined]
    api.key = api.key_for(ada, name="shop")
    with world.begin() as session:
        api_keys.revoke(session, name="shop", by="root")
    assert problem(api.get("/v1/orders")) == (401, "unauthorized")
    api.key = "prk_unknown"
    assert problem(api.get("/v1/orders")) == (429, "too-many-requests")


def test_a_while_after_redis_did_not_answer_it_counts_again(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    limit = RateLimit("1/minute", redis_server.url)
    with Redis.from_url(redis_server.url) as redis:
        redis.client_pause(60_000, all=False)
        try:
            limit.count("counted by nobody")
        finally:
            redis.client_unpause()
    clock[0] += PAUSE - 0.001
    for _ in range(2):
        limit.count("not counted yet")
    clock[0] += 0.001
    limit.count("counted again")
    with pytest.raises(Problem) as refused:
        limit.count("counted again")
    assert refused.value.status == 429
