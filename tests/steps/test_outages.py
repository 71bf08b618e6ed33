"""Whoever reads a worker's log is told that the database is away, why, and when it is back; once, however often a task fails."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine
from structlog.testing import capture_logs

from tasks import sweep, wiring
from tasks.errors import NO_DATABASE
from tests.support.in_one_process import without_broker
from tests.support.world import World
from worker import relay
from worker.database import Transactions


def test_an_outage_of_the_database_is_logged_once_with_what_was_said_and_so_is_its_end(world: World) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody:none@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    with capture_logs() as logs, without_broker():
        wiring.plug_in(replace(world.wiring, begin=Transactions(nowhere)))
        for task in (sweep.sweep, relay.relay, sweep.sweep, relay.relay):
            with pytest.raises(NO_DATABASE):
                task()
        wiring.plug_in(world.wiring)
        relay.relay()
        sweep.sweep()
    away, back = (line for line in logs if line["event"].startswith("the database is"))
    assert (away["event"], away["log_level"], back["event"]) == (
        "the database is away",
        "warning",
        "the database is back",
    )
    assert "port 1 failed: Connection refused" in away["said"]
