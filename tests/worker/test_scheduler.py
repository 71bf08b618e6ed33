"""Beat, while the broker does not take its tasks."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import redis

from tests.support.command import SETTINGS
from worker import embedded
from worker.command_lines import beat_command


@pytest.mark.timeout(240)
def test_a_task_that_a_full_broker_does_not_take_is_one_short_line_in_the_log(tmp_path: Path) -> None:
    with embedded.redis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)
        env = {**os.environ, **SETTINGS, "PRORATA_BROKER_URL": server.url}
        with subprocess.Popen(beat_command(), env=env, stderr=subprocess.PIPE, text=True) as beat:
            assert beat.stderr is not None
            said = (json.loads(line) for line in beat.stderr if line.startswith("{"))
            first = next(line for line in said if line["level"] == "error")
            beat.kill()
    assert first["event"] == "a recurring task cannot be sent"
    assert "maxmemory" in first["error"]
    assert (first["error"].count("\n"), first.get("exception")) == (0, None)
