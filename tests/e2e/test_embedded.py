"""Servers from wheels: they keep what they were given, two fit on one machine, and they say why they do not start."""

import os
import signal
import socket
import stat
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from tests.support.messages import eventually
from worker.embedded import PostgresServer, ServerMissing, postgres, redis, wheels
from worker.processes import ChildFailed


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("durable", [True, False])
def test_postgres_keeps_what_was_committed_through_a_kill(tmp_path: Path, *, durable: bool) -> None:
    with postgres(tmp_path, durable=durable) as server:
        url = server.create_database("shop")
        execute(url, "create table orders as select 42 as id")
        server.kill()
        assert not server.answers()
        server.restart()
        assert execute(url, "select id from orders") == [(42,)]


def test_a_folder_used_again_has_its_data_and_password(tmp_path: Path) -> None:
    with postgres(tmp_path) as first:
        execute(first.create_database("shop"), "create table orders as select 42 as id")
    with postgres(tmp_path) as second:
        assert second.password == first.password
        assert execute(second.url.replace("/postgres", "/shop"), "select id from orders") == [(42,)]


def test_a_database_starts_as_a_copy_of_its_template(postgres_server: PostgresServer) -> None:
    execute(postgres_server.create_database("with_tables"), "create table tiers as select 'Team' as name")
    copy = postgres_server.create_database("copy", template="with_tables")
    execute(copy, "insert into tiers values ('Business')")
    assert execute(postgres_server.create_database("untouched", template="with_tables"), "select name from tiers") == [
        ("Team",)
    ]


def test_two_copies_run_side_by_side(tmp_path: Path) -> None:
    with postgres(tmp_path / "a", durable=False) as one, postgres(tmp_path / "b", durable=False) as other:
        assert one.port != other.port
        execute(one.create_database("shop"), "create table orders as select 1 as id")
        assert execute(other.create_database("shop"), "select to_regclass('orders')") == [(None,)]


def test_postgres_wants_its_password(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        execute(postgres_server.url.replace(postgres_server.password, "guess"), "select 1")


def test_whoever_connects_derives_a_key_from_the_password_in_one_round(postgres_server: PostgresServer) -> None:
    [(verifier,)] = execute(postgres_server.url, "select rolpassword from pg_authid where rolname = 'prorata'")
    assert str(verifier).startswith("SCRAM-SHA-256$1:")


def test_a_folder_with_a_long_path_and_spaces_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "an order's long way" / ("x" * 120)
    with postgres(folder, durable=False) as server, redis(folder) as broker:
        assert server.answers()
        assert broker.answers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can pass the folders of others")
def test_postgres_runs_below_a_folder_closed_to_its_own_user(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with postgres(closed / "pg", durable=False) as server:
        assert server.answers()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_second_postgres_in_the_same_folder_says_that_the_first_is_there(tmp_path: Path) -> None:
    with postgres(tmp_path, durable=False) as first:
        with pytest.raises(ChildFailed, match=r'lock file "postmaster.pid" already exists'), postgres(tmp_path):
            pass
        assert first.answers()


def test_redis_keeps_all_it_has_answered_through_a_kill(tmp_path: Path) -> None:
    with redis(tmp_path, password='a "fine" pass/word @ 1') as server:
        with Redis.from_url(server.url) as client:
            for number in range(500):
                client.rpush("orders", number)
        server.kill()
        assert not server.answers()
        server.restart()
        with Redis.from_url(server.url) as client:
            assert client.llen("orders") == 500


def test_servers_that_end_by_themselves_are_started_again_with_what_they_had(tmp_path: Path) -> None:
    with postgres(tmp_path / "pg", durable=False, restart=True) as database, redis(tmp_path, restart=True) as broker:
        url = database.create_database("shop")
        execute(url, "create table orders as select 42 as id")
        with Redis.from_url(broker.url) as client:
            client.rpush("orders", 42)
        database.kill()
        broker.kill()
        assert eventually(database.answers)
        assert eventually(broker.answers)
        assert execute(url, "select id from orders") == [(42,)]
        with Redis.from_url(broker.url) as client:
            assert client.llen("orders") == 1


def test_redis_wants_its_password_and_keeps_it_off_the_command_line(tmp_path: Path) -> None:
    with redis(tmp_path, password="hunter2") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as stranger:
            stranger.sendall(b"PING\r\n")
            assert stranger.recv(100) == b"-NOAUTH Authentication required.\r\n"
        assert not any("hunter2" in word for word in server.child.command)
        assert stat.S_IMODE((tmp_path / "redis.conf").stat().st_mode) == 0o600


def test_redis_without_persistence_writes_no_file(tmp_path: Path) -> None:
    with redis(tmp_path, persistence=False) as server, Redis.from_url(server.url) as client:
        client.set("order", 1)
    assert not (tmp_path / "appendonly.aof").exists()


def test_redis_has_databases_apart(tmp_path: Path) -> None:
    with redis(tmp_path, persistence=False, password="x") as server:
        with Redis.from_url(server.database(63)) as client:
            client.set("order", 1)
        with Redis.from_url(server.url) as client:
            assert client.get("order") is None


def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with postgres(tmp_path, durable=False):
        pass
    (tmp_path / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ChildFailed, match="unrecognized configuration parameter") as failure, postgres(tmp_path):
        pass
    assert str(tmp_path / "postgres.log") in str(failure.value)


def test_without_any_redis_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "package_folder", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissing, match=r"redis-server, 6\.2 or later, on the PATH"), redis(tmp_path):
        pass


def test_without_the_wheel_redis_comes_from_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.symlink_to(wheels.redis_program())
    monkeypatch.setattr(wheels, "package_folder", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with redis(tmp_path / "data") as server:
        assert server.child.command[0] == str(program)


def test_a_stopped_server_can_be_restarted_on_its_port(tmp_path: Path) -> None:
    with redis(tmp_path) as server:
        before = server.child.pid
        server.restart()
        assert server.answers()
        assert server.child.pid != before
        server.child.kill(signal.SIGTERM)
        assert server.child.wait(timeout=240) == 0
