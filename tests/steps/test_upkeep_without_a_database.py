"""While PostgreSQL is away, what runs every few seconds says so in a line each, not in a traceback each."""

import logging
from dataclasses import replace

import pytest
from celery import Task
from sqlalchemy import create_engine

from tasks import wiring
from tasks.charges.late_charges import late_charges
from tasks.charges.webhooks import handle_webhooks
from tasks.housekeeping import housekeeping, old_quotes
from tasks.sweep import sweep
from tasks.vat.vat_follow_up import vat_follow_up
from tests.support.world import World
from worker.database import Transactions
from worker.heartbeat import heartbeat
from worker.relay import relay


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (sweep, []),
        (handle_webhooks, []),
        (relay, []),
        (late_charges, []),
        (vat_follow_up, []),
        (housekeeping, []),
        (old_quotes, []),
        (heartbeat, ["orders"]),
    ],
)
def test_upkeep_without_a_database_fails_in_one_line(
    world: World, caplog: pytest.LogCaptureFixture, task: Task, words: list[str]
) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere")
    wiring.plug_in(replace(world.wiring, begin=Transactions(away)))
    caplog.set_level(logging.INFO, logger="celery.app.trace")
    ended = task.apply(args=words)
    wiring.plug_in(world.wiring)
    [line] = [record for record in caplog.records if record.name == "celery.app.trace"]
    assert (ended.state, line.levelno, line.exc_info) == ("FAILURE", logging.INFO, None)
    assert "raised expected" in line.getMessage()
