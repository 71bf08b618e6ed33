"""A worker that is told to end finishes what it has begun, however long the mail server takes."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from models.states import OrderStatus, Step
from tests.support.command import of_a_worker
from tests.support.messages import a_task, eventually
from tests.support.world import World, change, purchase
from worker.command_lines import Pool, Worker, worker_command
from worker.embedded import RedisServer
from worker.processes import Supervisor, log_says

IMPATIENT_ONCE_TOLD = """
from celery import signals
from worker import watchdog

watchdog.EVERY = 0.1

@signals.worker_shutting_down.connect
def lose_patience(**_):
    watchdog.PATIENCE = 1.0

from worker.celery_command import main
main()
"""
"""seventy seconds are long for a test"""
SLOW = 4.0
"""seconds that the mail server takes for a letter"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path) as made:
        yield made


@pytest.fixture
def env(world: World, world_database_url: str, redis_server: RedisServer) -> dict[str, str]:
    return of_a_worker(world, database=world_database_url, broker=redis_server.database(51))


def test_a_worker_that_is_told_to_end_waits_for_its_letter_and_sends_it_once(
    world: World, processes: Supervisor, env: dict[str, str]
) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=10))
    before = len(world.mails(ada))
    order_id = world.place(ada, change(seats=5))
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    command = worker_command(Worker.ALL, pool=Pool.THREADS, concurrency=2)
    arguments = command[command.index("worker.celery_command") + 1 :]
    impatient = [sys.executable, "-P", "-c", IMPATIENT_ONCE_TOLD, *arguments]
    child = processes.start("worker", impatient, env=env, ready=log_says(" ready."), deadline=240)
    world.mailbox.fail("slow", seconds=SLOW, recipient=ada.email, times=1)
    with redis.Redis.from_url(env["PRORATA_BROKER_URL"]) as broker:
        broker.lpush("mail", json.dumps(a_task(Step.SEND_CONFIRMATION_EMAIL, str(order_id))))
    assert eventually(lambda: len(world.mails(ada)) == before + 1)
    child.kill(signal.SIGTERM)
    assert child.wait(timeout=240) == 0
    assert "worker takes no messages" not in child.output()
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert len(world.mails(ada)) == before + 1
