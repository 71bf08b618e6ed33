"""The drill's proxies: they pass everything on, and break connections as they are told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from worker.drill.detour import BEHIND, Proxies, proxies, with_port
from worker.embedded import PostgresServer


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything twice."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while piece := connection.recv(65536):
                    connection.sendall(piece * 2)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Proxies]:
    with proxies(tmp_path) as made:
        yield made


def through(before: Proxies, port: int) -> int:
    """The port of a proxy in front of `port`, whatever it stands for."""
    detoured = before.detour(dict.fromkeys(BEHIND.values(), f"http://127.0.0.1:{port}"))
    return int(detoured["PRORATA_BROKER_URL"].rpartition(":")[2])


def test_a_proxy_passes_on_what_is_said_and_the_end(before: Proxies, echo: int) -> None:
    with socket.create_connection(("127.0.0.1", through(before, echo)), timeout=240) as connection:
        connection.sendall(b"x" * 1000)
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read() == b"x" * 2000


def test_a_cut_resets_the_connections_there_are(before: Proxies, echo: int) -> None:
    with socket.create_connection(("127.0.0.1", through(before, echo)), timeout=240) as connection:
        connection.sendall(b"hello")
        assert connection.recv(10, socket.MSG_WAITALL) == b"hellohello"
        assert before.tell("cut", "redis") == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(10)


def test_a_half_open_connection_says_nothing_while_new_ones_work(before: Proxies, echo: int) -> None:
    port = through(before, echo)
    with socket.create_connection(("127.0.0.1", port), timeout=240) as old:
        old.sendall(b"hello")
        assert old.recv(10, socket.MSG_WAITALL) == b"hellohello"
        assert before.tell("half-open", "redis", 600) == 1
        old.sendall(b"hello")
        old.settimeout(0.3)
        with pytest.raises(TimeoutError):
            old.recv(10)
        with socket.create_connection(("127.0.0.1", port), timeout=240) as new:
            new.sendall(b"hi")
            assert new.recv(4, socket.MSG_WAITALL) == b"hihi"


def test_a_half_open_connection_is_reset_in_the_end(before: Proxies, echo: int) -> None:
    with socket.create_connection(("127.0.0.1", through(before, echo)), timeout=240) as old:
        old.sendall(b"hello")
        assert old.recv(10, socket.MSG_WAITALL) == b"hellohello"
        assert before.tell("half-open", "redis", 0.1) == 1
        with pytest.raises(ConnectionResetError):
            old.recv(10)


def test_a_commit_whose_answer_is_lost_has_happened(before: Proxies, postgres_server: PostgresServer) -> None:
    direct = postgres_server.create_database("lost_commit").replace("+psycopg", "")
    front = before.detour(dict.fromkeys(BEHIND.values(), direct))["PRORATA_DATABASE_URL"]
    with psycopg.connect(front) as connection:
        connection.execute("CREATE TABLE notes (note text)")
        connection.commit()
        before.tell("lose-commits", 1)
        connection.execute("INSERT INTO notes VALUES ('kept')")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT note FROM notes").fetchall() == [("kept",)]


def test_a_port_is_changed_and_nothing_else() -> None:
    assert with_port("redis://:se%40cret@127.0.0.1:6379/0", 7) == "redis://:se%40cret@127.0.0.1:7/0"
