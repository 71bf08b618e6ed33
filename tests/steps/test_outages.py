"""Whoever reads a worker's log is told that the database is away, why, and when it is back; once, however often a task fails."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from tasks import sweep, wiring
from tasks.errors import NO_DATABASE
from tasks.running import outages
from tests.support.in_one_process import without_broker
from tests.support.world import World
from worker import relay
from worker.database import Transactions


@pytest.fixture(autouse=True)
def all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "_failing", set())


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
    away, back = (line for line in logs if line["event"].startswith("the database "))
    assert (away["event"], away["log_level"], back["event"]) == (
        "the database is away",
        "warning",
        "the database works again",
    )
    assert "port 1 failed: Connection refused" in away["said"]


def test_a_task_that_the_database_refuses_is_logged_once_though_another_works(world: World) -> None:
    with world.begin() as session:
        session.execute(
            text("""
            create function no_room() returns trigger language plpgsql as
            $$ begin raise 'could not extend file: No space left on device' using errcode = '53100'; end $$
        """)
        )
        session.execute(
            text("""
            create trigger no_room before insert or update on heartbeats
            for each row when (new.name = 'sweep') execute function no_room()
        """)
        )
    with capture_logs() as logs, without_broker():
        for _ in range(3):
            with pytest.raises(NO_DATABASE):
                sweep.sweep()
            relay.relay()
        with world.begin() as session:
            session.execute(text("drop trigger no_room on heartbeats"))
        sweep.sweep()
    refused, works = (line for line in logs if line["event"].startswith("the database "))
    assert (refused["event"], works["event"]) == ("the database refuses", "the database works again")
    assert "No space left on device" in refused["said"]
