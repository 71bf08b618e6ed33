"""Behind a pooler of connections no statement is prepared: another client's could be executed in its place."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from sqlalchemy import Engine, bindparam, create_engine, make_url, select, text
from structlog.testing import capture_logs

from models.accounts import Account
from models.prepared import Prepared
from models.tables import metadata
from tests.worker.test_database import ISOLATION, set_default
from worker.database import Transactions, set_up_sessions
from worker.pooler import prepare_nothing_behind

NAMES = Prepared[str](select(Account.name).where(Account.country == bindparam("in")))


class Pooler:
    """Passes everything on, but gives its clients a number of its own for the server's process, as a pooler must."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._behind = port
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._server.accept()[0], socket.create_connection(("127.0.0.1", self._behind))
                threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=_answer, args=(server, client), daemon=True).start()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def _answer(server: socket.socket, client: socket.socket) -> None:
    """Message by message up to BackendKeyData, as PostgreSQL's protocol has it: a letter, a length, and what it says."""
    with suppress(OSError), server.makefile("rb") as said:
        kind = b""
        while kind != b"K" and (head := said.read(5)):
            kind, length = head[:1], struct.unpack("!i", head[1:])[0]
            body = said.read(length - 4)
            client.sendall(head + (b"\x7f" + body[1:] if kind == b"K" else body))
        while piece := said.read1(65536):
            client.sendall(piece)
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)


def engine_at(url: str) -> Engine:
    made = create_engine(url, connect_args={"prepare_threshold": 1, "sslmode": "disable", "gssencmode": "disable"})
    prepare_nothing_behind(made)
    set_up_sessions(made)
    return made


@pytest.fixture
def direct(fresh_database_url: str) -> Iterator[Engine]:
    made = engine_at(fresh_database_url)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def pooled(direct: Engine) -> Iterator[Engine]:
    url = make_url(direct.url)
    with ExitStack() as exits:
        pooler = Pooler(int(url.port or 0))
        exits.callback(pooler.close)
        made = engine_at(url.set(port=pooler.port, host="127.0.0.1").render_as_string(hide_password=False))
        exits.callback(made.dispose)
        yield made


def prepared(engine: Engine) -> int:
    """Statements that lie prepared in the server process, after one was used often."""
    with Transactions(engine)() as session:
        for _ in range(3):
            NAMES.all(session, {"in": "DE"})
        lying = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%accounts.country%'")
        return int(session.execute(lying).scalar_one())


def test_statements_are_prepared_where_postgresql_answers_itself(direct: Engine) -> None:
    with capture_logs() as logged:
        assert prepared(direct) == 1
    assert logged == []


def test_nothing_is_prepared_behind_a_pooler_and_the_log_says_so_once(pooled: Engine) -> None:
    with capture_logs() as logged:
        assert prepared(pooled) == 0
        with pooled.connect(), pooled.connect():
            pass
    (told,) = logged
    assert told["event"] == "a pooler is before PostgreSQL: no statement is prepared"
    assert told["role_should_set"] == ["idle_in_transaction_session_timeout", "lock_timeout"]


def test_a_role_that_brings_the_limits_is_asked_for_none(direct: Engine, pooled: Engine) -> None:
    with direct.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{direct.url.database}" SET lock_timeout = 3000'))
        connection.execute(
            text(f'ALTER DATABASE "{direct.url.database}" SET idle_in_transaction_session_timeout = 8000')
        )
    with capture_logs() as logged:
        assert prepared(pooled) == 0
    assert logged[0]["role_should_set"] == []


def test_a_transaction_on_anothers_server_process_reads_anew_what_locks_guard(direct: Engine, pooled: Engine) -> None:
    """One that never got our settings, as under transaction pooling."""
    set_default(direct.url.render_as_string(hide_password=False), "default_transaction_isolation", "repeatable read")
    for _ in range(2):
        with pooled.begin() as connection:
            assert connection.scalar(ISOLATION) == "read committed"
            connection.execute(text("RESET ALL"))
