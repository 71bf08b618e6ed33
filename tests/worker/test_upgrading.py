"""`prorata db upgrade` beside those who use the database."""

import queue
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from models import migrations
from worker import upgrading
from worker.embedded import PostgresServer


def test_an_upgrade_waits_for_a_table_without_holding_up_those_who_use_it(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database("upgraded-behind-a-backup")
    migrations.upgrade(url, "0006")
    monkeypatch.setattr(upgrading, "PAUSE", 0.3)
    waits: queue.Queue[str] = queue.Queue()
    engine = create_engine(url)
    with ThreadPoolExecutor(1) as pool, engine.connect() as backup:
        backup.execute(text("LOCK TABLE orders IN ACCESS SHARE MODE"))
        upgraded = pool.submit(upgrading.upgrade, url, say=waits.put)
        assert "Others are using a table" in waits.get(timeout=30)
        with engine.connect() as order:
            order.execute(text("SET statement_timeout = '20s'"))
            assert order.execute(text("SELECT count(*) FROM orders")).scalar() == 0
        backup.rollback()
        upgraded.result(timeout=60)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == head()
    engine.dispose()


def head() -> str | None:
    return ScriptDirectory.from_config(migrations.config("")).get_current_head()
