"""A canary is listened for as long as was asked for, and no longer; silence is not an outage, an outage is one."""

import os
import subprocess
import sys
from pathlib import Path
from socket import gethostname

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError
from redis.retry import Retry

from tests.support.command import Command
from worker.embedded import RedisServer
from worker.embedded.redis_server import redis as embedded_redis
from worker.health import HEARD_FOR, LISTEN, NEEDLESS, connected, heard, send, sings

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
    with client(redis_server, socket_timeout=60.0) as broker:
        for key in NEEDLESS:
            broker.sadd(key, "gone@nowhere\x06\x16\x06\x16gone@nowhere.dq2")  # as kombu notes it where a worker starts
        assert not sings(broker, "nobody@nowhere", within=0.1)
        assert broker.keys("*nowhere*") == [b"nobody@nowhere.dq2"]
        assert 0 < broker.ttl("nobody@nowhere.dq2") <= 1 + HEARD_FOR
        assert broker.exists(*NEEDLESS) == 0


def test_a_broker_that_says_nothing_at_all_is_away(redis_server: RedisServer) -> None:
    with (
        client(redis_server, socket_timeout=0.3) as listening,
        pytest.raises(RedisError, match="Timeout"),
    ):
        heard(listening, "canary of another test", within=5.0)


def test_a_broker_that_is_no_longer_there_is_away() -> None:
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(RedisError, match="refused"):
        heard(client, "canary of a test", within=5.0)


def test_after_a_failover_the_demoted_server_is_left(tmp_path: Path) -> None:
    """It keeps connections, while its address may lead to its successor by now."""
    with (
        embedded_redis(tmp_path, persistence=False) as server,
        Redis.from_url(server.url) as operator,
        connected(server.url) as broker,
    ):
        send(broker, "nobody@nowhere", song=None, within=1.0)
        before = broker.client_id()
        operator.replicaof("127.0.0.1", 1)
        with pytest.raises(ReadOnlyError):
            send(broker, "nobody@nowhere", song=None, within=1.0)
        assert broker.client_id() != before


ON_THIS_HOST = "does it run on this host? In a container, ask in its own"
NUMBERED = "was it started with --number?"


@pytest.mark.parametrize(
    ("words", "hints"),
    [
        ((), f"; {ON_THIS_HOST}; {NUMBERED}"),
        (("--host", "elsewhere"), f"; {NUMBERED}"),
        (("--number", "1"), f"; {ON_THIS_HOST}"),
        (("--host", "elsewhere", "--number", "1"), ""),
    ],
)
def test_whoever_may_have_asked_for_another_worker_is_told(
    prorata: Command, redis_server: RedisServer, words: tuple[str, ...], hints: str
) -> None:
    ended = prorata("worker-health", "mail", "--within=0.1", *words, PRORATA_BROKER_URL=redis_server.database(54))
    assert (ended.status, ended.err.partition(" took no message in 0.1 s")[2]) == (1, f"{hints}\n")


WRONG = "PRORATA_BROKER_URL is missing or wrong: `prorata settings` says why\n"


def check(broker_url: str) -> tuple[int, str]:
    """As docker-compose.yml calls it."""
    command = [sys.executable, "-P", "-m", "worker.commands.health_check", "nobody"]
    env = {**os.environ, "PRORATA_BROKER_URL": broker_url}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("broker_url", "status", "said"),
    [
        ("redis://:secret@127.0.0.1:1/0", 3, f"nobody@{gethostname()}: the broker does not answer (ConnectionError)\n"),
        ("rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere", 2, WRONG),
        ("redis://:secret/word@127.0.0.1:1/0", 2, WRONG),
        ("", 2, WRONG),
    ],
)
def test_what_is_no_answer_of_the_worker_has_another_status(broker_url: str, status: int, said: str) -> None:
    assert check(broker_url) == (status, said)


def test_a_health_check_loads_nothing_that_takes_time() -> None:
    """It runs every few seconds, on the small share of the processor that a worker has."""
    program = "import sys, worker.commands.health_check; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"celery", "kombu", "pydantic", "sqlalchemy", "structlog", "typer"}.isdisjoint(loaded)
