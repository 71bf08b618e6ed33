"""Start everything, as parallel as dependencies allow; stop everything, whatever ends us."""

import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from models import migrations
from worker.embedded import PostgresServer, RedisServer, postgres, redis
from worker.embedded.postgresql import database_url
from worker.processes import Child, ChildFailed, Supervisor
from worker.settings import Settings
from worker.stack import processes as parts
from worker.stack.addresses import Addresses, Ports, settings_of, variables
from worker.stack.processes import Process

DATABASE = "prorata"
DEADLINE = 90.0
"""seconds for a process to be ready; long, because a small machine starts them all at once"""

Say = Callable[[str], None]
Detour = Callable[[dict[str, str]], dict[str, str]]
"""turns the PRORATA_ variables into those that our processes get: addresses with something in between"""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running system. Logs are in `folder`, one file a process."""

    folder: Path
    addresses: Addresses
    variables: Mapping[str, str] = field(repr=False)
    """the PRORATA_ variables that every process of it has"""
    settings: Settings
    processes: Supervisor
    postgres: PostgresServer
    redis: RedisServer

    def places(self) -> Iterator[tuple[str, str]]:
        """What a person may look at, and where that is."""
        yield "API", f"{self.addresses.api}/openapi.json"
        yield "emails", self.addresses.mailbox
        yield "Stripe's books", f"{self.addresses.stripe}/_control/books"
        yield "VIES's questions", f"{self.addresses.vies}/_control/requests"
        if self.addresses.flower:
            yield "Flower", self.addresses.flower
        yield "logs", str(self.folder)

    def for_other_commands(self) -> str:
        """What to type so that `prorata` finds this stack, and a command; its settings are written to a file that only its owner may read."""
        file = self.folder / "settings.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items()))
        prorata = "prorata" if shutil.which("prorata") else str(Path(sys.executable).with_name("prorata"))
        return f"set -a; . {shlex.quote(str(file))}; set +a\n{shlex.quote(prorata)} orders list"

    def check(self) -> None:
        """Raises ChildFailed where a process has ended by itself."""
        for child in (self.postgres.child, self.redis.child, *self.processes.children.values()):
            if child.ended_by_itself():
                raise ChildFailed(child.obituary("ended by itself"))


@contextmanager
def running(
    folder: Path,
    *,
    chosen: Mapping[str, str] | None = None,
    flower: bool = False,
    durable: bool = True,
    restart: bool = False,
    restart_servers: bool = False,
    detour: Detour = dict,
    say: Say = lambda _: None,
) -> Iterator[Stack]:
    """The whole stack, its data and logs in `folder`; a folder may be used again, its data are still there.

    chosen: PRORATA_ variables to set otherwise than usual. durable: False is faster and good for data nobody keeps.
    restart, restart_servers: start our processes, or PostgreSQL and Redis, again when they end by themselves. detour: called once the servers are up; `Stack.settings` keep the direct addresses.
    Raises ServerMissing, ChildFailed with the end of the log.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as exits:
        # The servers end last, so that processes can finish what they are working on.
        servers = exits.enter_context(ExitStack())
        supervisor = exits.enter_context(Supervisor(folder))
        exits.callback(_stop_all_at_once, supervisor)
        ports = Ports.reserved(supervisor.port)
        known = variables(ports, database_url="", broker_url="", chosen=chosen or {})
        first = _start(supervisor, parts.stand_ins(ports, known, folder), restart=restart)
        say("PostgreSQL and Redis")
        redis_server = servers.enter_context(
            redis(folder / "redis", password=secrets.token_urlsafe(24), persistence=durable, restart=restart_servers)
        )
        postgres_server = servers.enter_context(postgres(folder / "postgres", durable=durable, restart=restart_servers))
        database = _database(postgres_server)
        known |= {"PRORATA_DATABASE_URL": database, "PRORATA_BROKER_URL": redis_server.url}
        say("Migrations")
        migrations.upgrade(database)
        say("API, workers, stand-ins")
        given = detour(known)
        started = first | _start(supervisor, parts.own(ports, given), restart=restart)
        if flower:
            started |= _start(supervisor, [parts.flower(ports, given)], restart=restart)
        _await(started)
        addresses = Addresses.of(ports, flower=flower)
        yield Stack(folder, addresses, given, settings_of(known), supervisor, postgres_server, redis_server)


def _database(server: PostgresServer) -> str:
    """The stack's database, made where this folder is new."""
    try:
        return server.create_database(DATABASE)
    except psycopg.errors.DuplicateDatabase:
        return database_url(server.port, server.password, DATABASE)


def _start(supervisor: Supervisor, wanted: Sequence[Process], *, restart: bool) -> dict[Child, Process]:
    """Start without waiting: they all warm up at once."""
    return {supervisor.start(each.name, parts.sealed(each), env=each.env, restart=restart): each for each in wanted}


def _await(started: Mapping[Child, Process]) -> None:
    give_up_at = time.monotonic() + DEADLINE
    for child, process in started.items():
        while not process.ready(child):
            if not child.running():
                raise ChildFailed(child.obituary("ended before it was ready"))
            if time.monotonic() > give_up_at:
                raise ChildFailed(child.obituary(f"was not ready after {DEADLINE:g} s"))
            time.sleep(0.05)


def _stop_all_at_once(supervisor: Supervisor) -> None:
    children = list(supervisor.children.values())
    with ThreadPoolExecutor(max_workers=max(1, len(children))) as pool:
        list(pool.map(lambda child: child.stop(), children))
