"""A cluster or a Sentinel in the place of the broker is told as a process starts, and by `readyz`; orders would stand still there."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from api_stub import broker_check
from tests.support.command import SETTINGS, Ended, prorata_of_its_own
from worker import single_redis
from worker.embedded import RedisServer
from worker.embedded.wheels import redis_program
from worker.processes import Child
from worker.processes.ports import PortReservation, reserve_port

CLUSTER = ["--cluster-enabled", "yes"]
SENTINEL = ["--sentinel"]

Started = Callable[[list[str]], str]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts Redis with these options; answers its address."""
    reservation, bus = reserve_two_ports()
    config = tmp_path / "redis.conf"
    config.write_text(f'bind 127.0.0.1\nport {reservation.port}\ndir "{tmp_path}"\n')
    children: list[Child] = []

    def start(options: list[str]) -> str:
        child = Child(name="redis", command=[str(redis_program()), str(config), *options], folder=tmp_path)
        children.append(child)
        child.start(ready=lambda _: pings(reservation.port))
        return f"redis://127.0.0.1:{reservation.port}/0"

    yield start
    for child in children:
        child.stop()
    reservation.release()
    bus.release()


def reserve_two_ports() -> tuple[PortReservation, PortReservation]:
    """The second 10,000 further on, where a Redis in cluster mode listens, too."""
    while True:
        reservation = reserve_port(range(20_000, 22_000))
        try:
            return reservation, reserve_port([reservation.port + 10_000])
        except OSError:
            reservation.release()


def pings(port: int) -> bool:
    try:
        with redis.Redis(port=port, socket_timeout=2) as connection:
            return bool(connection.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


@pytest.mark.parametrize(("options", "mode"), [(CLUSTER, "cluster"), (SENTINEL, "sentinel")])
def test_a_cluster_or_a_sentinel_is_refused_as_a_process_starts_and_readyz_says_so(
    options: list[str], mode: str, started: Started, fresh_database_url: str
) -> None:
    url = started(options)
    address = url.removeprefix("redis://")
    why = (
        f"The Redis at {address} is in {mode} mode (PRORATA_BROKER_URL): Prorata needs one Redis server, "
        "not a cluster and not a Sentinel."
    )
    there = SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url, "PRORATA_BROKER_URL": url}
    assert prorata_of_its_own("beat", **there) == Ended(1, "", f"{why}\n")
    with pytest.raises(single_redis.NotOneServer) as refused:
        broker_check.require_writes(url)
    assert broker_check.told(refused.value) == {"advice": why}


def test_one_server_is_accepted_and_so_is_one_that_is_away_or_may_not_be_asked(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as broker:
        broker.execute_command("ACL", "SETUSER", "quiet", "on", ">secret", "~*", "&*", "+@all", "-info")
        quiet = redis_server.url.replace("redis://", "redis://quiet:secret@")
        for url in (redis_server.url, "redis://127.0.0.1:1/0", quiet):
            single_redis.check(url)
        broker_check.require_writes(quiet)
        broker.acl_deluser("quiet")


@contextmanager
def answering(info: bytes) -> Iterator[str]:
    """A server that says OK to everything but HELLO and INFO; yields its address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while words := self._command():
                self.wfile.write({b"HELLO": b"%1\r\n+proto\r\n:3\r\n", b"INFO": info}.get(words[0], b"+OK\r\n"))

        def _command(self) -> list[bytes]:
            count = int(self.rfile.readline()[1:] or 0)
            return [self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip() for _ in range(count)]

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()


@pytest.mark.parametrize("info", [b":1\r\n", b"*0\r\n", b"$-1\r\n", b"+OK\r\n", b"?\r\n"])
def test_a_server_whose_answer_does_not_tell_is_accepted(info: bytes) -> None:
    """As from a broken proxy."""
    with answering(info) as url:
        single_redis.check(url)


def test_a_server_whose_answer_says_cluster_is_refused() -> None:
    with answering(b"$18\r\nredis_mode:cluster\r\n") as url, pytest.raises(single_redis.NotOneServer):
        single_redis.check(url)
