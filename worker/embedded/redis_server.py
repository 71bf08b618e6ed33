"""Redis in a folder: loopback only, an append-only file, killable."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis as client
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.embedded.wheels import redis_program
from worker.processes import Child, reserve_port

CONFIG = """\
bind 127.0.0.1
port {port}
dir "{folder}"
daemonize no
databases 64
maxmemory-policy noeviction
save ""
appendonly {appendonly}
appendfsync always
"""
"""`always`: Redis writes before it answers, so that after `kill -9` it has whatever it acknowledged. With `everysec` it may answer
up to two seconds before it writes, and a drill would blame us for what Redis lost. Production can use everysec: what the
broker loses, the outbox and the sweep publish again."""

AT_ONCE = Retry(NoBackoff(), 0)


@dataclass(frozen=True, slots=True)
class RedisServer:
    port: int
    password: str | None = field(repr=False)
    child: Child
    url: str = field(repr=False)
    """of database 0; there are 64, see `database`"""

    def database(self, number: int) -> str:
        return f"{self.url.rpartition('/')[0]}/{number}"

    def kill(self) -> None:
        """`kill -9`. `restart` reads the append-only file."""
        self.child.kill(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again, after `kill` or instead of the running one, on the same port with the same data."""
        self.child.stop()
        self.child.start(ready=self.answers)

    def answers(self, _: object = None) -> bool:
        try:
            with client.Redis(
                host="127.0.0.1", port=self.port, password=self.password, socket_timeout=2, retry=AT_ONCE
            ) as connection:
                return bool(connection.ping())
        except (client.ConnectionError, client.TimeoutError):
            return False


@contextmanager
def redis(
    folder: Path, *, persistence: bool = True, password: str | None = None, restart: bool = False
) -> Iterator[RedisServer]:
    """Start Redis with its data and log in `folder`, stop it at the end.

    persistence: an append-only file, so that `kill` and `restart` keep everything; False keeps it in memory, for tests. restart: start it again
    whenever it ends by itself.
    Raises ServerMissing if it is not installed, ChildFailed with the end of the log if it does not start.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    program = redis_program()
    reservation = reserve_port()
    child = Child(name="redis", command=[str(program), str(folder / "redis.conf")], folder=folder, restart=restart)
    credentials = f":{quote(password, safe='')}@" if password else ""
    url = f"redis://{credentials}127.0.0.1:{reservation.port}/0"
    server = RedisServer(reservation.port, password, child, url)
    write_config(folder, port=reservation.port, persistence=persistence, password=password)
    try:
        child.start(ready=server.answers)
        yield server
    finally:
        child.stop()
        reservation.release()


def write_config(folder: Path, *, port: int, persistence: bool, password: str | None) -> None:
    """Into a file that only we may read: the command line, where everyone can read it, is no place for a password."""
    file = folder / "redis.conf"
    file.touch(mode=0o600)
    file.write_text(CONFIG.format(port=port, folder=quoted(str(folder)), appendonly="yes" if persistence else "no"))
    if password:
        with file.open("a") as config:
            config.write(f'requirepass "{quoted(password)}"\n')


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
