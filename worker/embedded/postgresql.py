"""PostgreSQL in a folder: TCP on loopback only, a random password, killable."""

import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from worker.embedded.wheels import postgres_programs
from worker.processes import Child, reserve_port

USER = "prorata"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # their paths are limited to about 100 bytes, a scratch folder's is not
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST_AND_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""Commits survive a killed process all the same (the kernel has what was written), but not a machine that loses power. So
`synchronous_commit` stays on: without it a commit may be acknowledged while its log is still in PostgreSQL's own memory."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    port: int
    password: str = field(repr=False)
    child: Child
    url: str = field(repr=False)
    """SQLAlchemy's, of the database `postgres`; `create_database` gives one to work in"""
    durable: bool

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, a copy of `template` if given (nobody may be connected to that one). Returns its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # FILE_COPY takes half the processor time, but forces a checkpoint: where that waits for the disk, WAL_LOG is faster.
            strategy = sql.SQL("WAL_LOG" if self.durable else "FILE_COPY")
            statement += sql.SQL(" TEMPLATE {} STRATEGY {}").format(sql.Identifier(template), strategy)
        with self._connect() as connection:
            connection.execute(statement)
        return database_url(self.port, self.password, name)

    def drop_database(self, name: str) -> None:
        """Whoever is still connected to it is disconnected."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def kill(self) -> None:
        """`kill -9` of the postmaster, and of whatever it leaves behind. `restart` recovers from the write-ahead log."""
        self.child.kill(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again, after `kill` or instead of the running one, on the same port with the same data."""
        self.child.stop()
        self.child.start(ready=self.answers, deadline=120)

    def answers(self, _: object = None) -> bool:
        try:
            self._connect(connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, *, connect_timeout: int = 10) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self.password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=connect_timeout,
        )


@contextmanager
def postgres(folder: Path, *, durable: bool = True, restart: bool = False) -> Iterator[PostgresServer]:
    """Start PostgreSQL with its data, password and log in `folder`, stop it at the end; the data stay.

    durable: False does not wait for the disk, for tests that do not cut the power. restart: start it again whenever it ends by itself.
    Raises ServerMissing if it is not installed, ChildFailed with the end of the log if it does not start.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    user = unprivileged_user()
    programs = postgres_programs()
    data, password = initialize(folder, programs, user)
    reservation = reserve_port()
    settings = SETTINGS | {"port": str(reservation.port)} | ({} if durable else FAST_AND_FORGETFUL)
    child = Child(
        name="postgres",
        command=[
            str(programs / "postgres"),
            *("-D", str(data)),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ],
        folder=folder,
        user=user,
        stop_signal=signal.SIGINT,  # its fast shutdown; TERM would wait for every client to leave
        restart=restart,
    )
    url = database_url(reservation.port, password, "postgres")
    server = PostgresServer(reservation.port, password, child, url, durable)
    try:
        child.start(ready=server.answers, deadline=120)
        yield server
    finally:
        child.stop()
        reservation.release()


def initialize(folder: Path, programs: Path, user: str | None) -> tuple[Path, str]:
    """Make the cluster unless it is there. Returns its data folder and password."""
    data, password_file = folder / "data", folder / "password"
    if data.exists():
        return data, password_file.read_text()
    password = secrets.token_urlsafe(24)
    draft = folder / "data.new"  # renamed when complete: an interrupted run leaves nothing that looks like a cluster
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if user is not None:
        owner = pwd.getpwnam(user)
        for path in (draft, password_file):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    options = [
        "--auth=scram-sha-256",
        # Rounds make a guessable password dear to guess. Ours is 24 random bytes, and 4,096 of them half the cost of a connection.
        "--set=scram_iterations=1",
        f"--pwfile={password_file}",
        f"--username={USER}",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    child = Child(
        name="initdb",
        command=[str(programs / "initdb"), "-D", str(draft), *options, "--no-instructions"],
        folder=folder,
        user=user,
    )
    child.run(timeout=120)
    draft.rename(data)
    return data, password


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root. None where we are not."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def database_url(port: int, password: str, name: str) -> str:
    return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{port}/{name}"
