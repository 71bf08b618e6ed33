"""Flower's events go out in batches; where Redis does not take them, they do not pile up in the worker."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from celery import Celery
from structlog.testing import capture_logs

from worker import events
from worker.embedded import RedisServer
from worker.events import Dispatcher

PAGE = Path(__file__).parents[2] / "docs/deploying.md"


@pytest.fixture
def broker(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_server.database(45)) as broker:
        yield broker
        broker.acl_deluser("worker")


def dispatcher(broker_url: str) -> Dispatcher:
    """A worker's."""
    app = Celery(broker=broker_url, set_as_current=False, events="worker.events:Events")
    made: Dispatcher = app.events.Dispatcher(app.connection_for_write(), groups=["task"], buffer_group=["task"])
    return made


def as_user(redis_server: RedisServer) -> str:
    url = urlsplit(redis_server.database(45))
    return url._replace(netloc=f"worker:secret@{url.hostname}:{url.port}").geturl()


def user_may(broker: "redis.Redis", *rules: str) -> None:
    broker.execute_command("ACL", "SETUSER", "worker", "reset", "resetchannels", "on", ">secret", *rules)  # type: ignore[no-untyped-call]


@pytest.fixture
def seen(broker: "redis.Redis") -> Iterator["redis.client.PubSub"]:
    """What Flower sees."""
    with broker.pubsub(ignore_subscribe_messages=True) as flower:  # type: ignore[no-untyped-call]
        flower.psubscribe("/45.celeryev/*")
        assert flower.get_message(timeout=60) is None  # subscribed
        yield flower


def test_a_user_that_may_do_what_is_advised_sends_them(
    broker: "redis.Redis", redis_server: RedisServer, seen: "redis.client.PubSub"
) -> None:
    [rules] = re.findall(r"ACL SETUSER prorata on '>PASSWORD' (.*?)`", PAGE.read_text())
    user_may(broker, *rules.replace("'", "").split())
    sending = dispatcher(as_user(redis_server))
    sending.send("task-started", uuid="1")
    sending.flush()
    assert seen.get_message(timeout=60)["channel"] == b"/45.celeryev/task.multi"
    sending.close()


def test_what_redis_refuses_is_dropped_and_the_log_says_once_what_its_user_needs(
    broker: "redis.Redis", redis_server: RedisServer
) -> None:
    user_may(broker, "~*", "+@all")
    with capture_logs() as logged:
        refused = dispatcher(as_user(redis_server))
        for number in range(3):
            refused.send("task-started", uuid=str(number))
            refused.flush()
        refused.close()
    assert list(refused._outbound_buffer) == []
    (told,) = logged
    assert (told["event"], told["log_level"]) == ("events are refused: Flower shows nothing", "error")
    assert told["advice"] == "allow the Redis user its channels: ACL SETUSER NAME &*"


def test_while_redis_is_away_only_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT", 2)
    away = dispatcher("redis://127.0.0.1:1/0")
    for number in (1, 2, 3):
        away.send("task-started", uuid=str(number))
        away.flush(errors=False)
    away.close()
    assert [[event["uuid"] for event in batch] for batch, _ in away._outbound_buffer] == [["2"], ["3"]]
