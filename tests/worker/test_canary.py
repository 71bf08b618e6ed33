"""A canary is listened for as long as was asked for, and no longer; silence is not an outage, an outage is one."""

import pytest
from celery import Celery, current_app
from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.canary import HEARD_FOR, LISTEN, heard, sings
from worker.embedded import RedisServer

SOCKET_TIMEOUT = 10.0
"""of worker.celery_config, which reads settings that are not there"""


class Silence(Redis):
    """Nobody sings, and the time it takes to hear that is counted instead of waited."""

    def __init__(self, *, sings_at: float = float("inf")) -> None:
        super().__init__()
        self.clock, self.sings_at, self.waits = 0.0, sings_at, list[float]()

    def brpop(self, _: object, timeout: float | None = 0) -> list[bytes] | None:  # type: ignore[override]
        self.waits.append(timeout or float("inf"))
        self.clock += self.waits[-1]
        return [b"song", b"1"] if self.clock >= self.sings_at else None


def client(server: RedisServer, *, socket_timeout: float) -> Redis:
    return Redis.from_url(server.url, socket_timeout=socket_timeout, retry=Retry(NoBackoff(), 0))


@pytest.mark.parametrize("within", [0.1, 2.0, 10.0, 25.0, 300.0])
def test_a_worker_that_is_dead_is_waited_for_as_long_as_was_asked_for(within: float) -> None:
    client = Silence()
    assert not heard(client, "song", within=within, now=lambda: client.clock)
    assert sum(client.waits) == pytest.approx(within)
    assert max(client.waits) <= LISTEN < SOCKET_TIMEOUT


def test_a_busy_worker_is_heard_later_than_a_connection_may_be_silent() -> None:
    client = Silence(sings_at=25.0)
    assert heard(client, "song", within=30.0, now=lambda: client.clock)


def test_a_song_is_heard_and_silence_is_silence(redis_server: RedisServer) -> None:
    with client(redis_server, socket_timeout=60.0) as listening:
        listening.lpush("canary of a test", 1)
        assert heard(listening, "canary of a test", within=240)
        assert not heard(listening, "canary of a test", within=0.2)


def test_what_was_sent_to_a_worker_that_is_not_there_does_not_stay(redis_server: RedisServer) -> None:
    before = current_app._get_current_object()
    app = Celery(broker=redis_server.url, set_as_current=True)
    try:
        assert not sings(app, "nobody@nowhere", within=0.1)
    finally:
        app.close()
        before.set_current()
    with client(redis_server, socket_timeout=60.0) as looking:
        [left] = [key for key in looking.keys("*nobody@nowhere*") if looking.type(key) == b"list"]
        assert 0 < looking.ttl(left) <= 1 + HEARD_FOR


def test_a_broker_that_says_nothing_at_all_is_away(redis_server: RedisServer) -> None:
    with (
        client(redis_server, socket_timeout=0.3) as listening,
        pytest.raises(OperationalError, match="Timeout"),
    ):
        heard(listening, "canary of another test", within=5.0)


def test_a_broker_that_is_no_longer_there_is_away() -> None:
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(OperationalError, match="refused"):
        heard(client, "canary of a test", within=5.0)
