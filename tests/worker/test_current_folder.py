"""What lies in the folder that a process is started in is not taken for ours."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.support.command import SETTINGS
from worker.command_lines import Worker, api_command, beat_command, flower_command, worker_command
from worker.embedded import RedisServer
from worker.processes import Supervisor, http_ok, log_says

NAMES = ("celery", "uvicorn", "fastapi", "sqlalchemy", "models", "tasks", "worker", "api_stub", "structlog", "flower")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} of the current folder')\n")
    return folder


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", ["api", "worker", "beat", "flower"])
def test_a_process_starts_in_any_folder(
    name: str, elsewhere: Path, processes: Supervisor, redis_server: RedisServer, fresh_database_url: str
) -> None:
    port, broker = processes.port(), Redis.from_url(redis_server.database(51))
    broker.flushdb()
    command, ready = {
        "api": (api_command(host="127.0.0.1", port=port), http_ok(f"http://127.0.0.1:{port}/healthz")),
        "worker": (worker_command(Worker.ALL), log_says(" ready.")),
        "beat": (beat_command(), lambda _: broker.llen("upkeep") > 0),
        "flower": (flower_command(host="127.0.0.1", port=port), http_ok(f"http://127.0.0.1:{port}/healthcheck")),
    }[name]
    servers = {"PRORATA_DATABASE_URL": fresh_database_url, "PRORATA_BROKER_URL": redis_server.database(51)}
    child = processes.start(
        name, command, env=os.environ | SETTINGS | servers, cwd=elsewhere, ready=ready, deadline=240
    )
    broker.close()
    assert "of the current folder" not in child.output()
