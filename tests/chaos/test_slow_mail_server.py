"""A mail server that does not answer holds up letters, and nothing else of a worker that does all."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import redis

from models.messages import Heartbeat, SentLetter
from models.states import LetterStatus, OrderStatus, Step
from tests.support.command import of_a_worker
from tests.support.messages import a_task, eventually
from tests.support.world import World, purchase
from worker.command_lines import Worker, worker_command
from worker.embedded import RedisServer
from worker.processes import Supervisor, log_says

THREADS, LIMIT = 6, 4
ORDERS = 9
SLOW = 20.0
"""seconds that the mail server takes for each letter"""


@pytest.fixture
def env(world: World, world_database_url: str, redis_server: RedisServer) -> dict[str, str]:
    return of_a_worker(world, database=world_database_url, broker=redis_server.database(52))


@pytest.fixture
def broker(env: dict[str, str], tmp_path: Path) -> Iterator["redis.Redis"]:
    """Where a worker with few threads takes messages."""
    command = worker_command(Worker.ALL, concurrency=THREADS)
    with Supervisor(tmp_path) as processes, redis.Redis.from_url(env["PRORATA_BROKER_URL"]) as broker:
        processes.start("worker", command, env=env, ready=log_says(" ready."), deadline=240)
        yield broker


def put(broker: "redis.Redis", queue: str, step: Step, orders: Sequence[UUID]) -> None:
    for order_id in orders:
        broker.lpush(queue, json.dumps(a_task(step, str(order_id))))


def recurring(broker: "redis.Redis", task: str, *given: str) -> None:
    message = a_task(task, "")
    message["body"] = json.dumps([given, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    broker.lpush("upkeep", json.dumps(message))


@pytest.mark.timeout(600)
def test_payments_and_upkeep_go_on_while_letters_wait_and_each_letter_is_sent_once(
    world: World, broker: "redis.Redis"
) -> None:
    world.time = datetime.now(UTC).replace(microsecond=0)
    customers = [world.customer() for _ in range(ORDERS)]
    orders = [world.place(customer, purchase()) for customer in customers]
    for order_id in orders:
        world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    buyer = world.customer()
    later = world.place(buyer, purchase())
    world.mailbox.fail("slow", seconds=SLOW, recipient="*@customer.example")
    put(broker, "mail", Step.SEND_CONFIRMATION_EMAIL, orders)
    assert eventually(lambda: len(waiting_letters(world)) == LIMIT)

    put(broker, "orders", Step.VALIDATE_CART, [later])
    recurring(broker, "heartbeat", "mail")
    recurring(broker, "sweep")
    # Of "orders", too, which every message here says it came from: no heartbeat was sent there.
    assert eventually(lambda: {row.name for row in world.rows(Heartbeat)} == {"queue mail", "queue orders", "sweep"})
    assert eventually(lambda: world.order(later).next_step is Step.SEND_CONFIRMATION_EMAIL)
    assert world.charged(buyer) == [119_00]
    assert len(waiting_letters(world)) == LIMIT, "no letter was answered meanwhile"

    world.mailbox.heal()
    assert eventually(lambda: swept(world, broker, [*orders, later]))
    assert [len(world.mails(customer)) for customer in [*customers, buyer]] == [2] * (ORDERS + 1)
    assert [letter.attempts for letter in world.rows(SentLetter)] == [1] * 2 * (ORDERS + 1)


def waiting_letters(world: World) -> Sequence[SentLetter]:
    letters: Sequence[SentLetter] = world.rows(SentLetter, status=LetterStatus.SENDING)
    return letters


def swept(world: World, broker: "redis.Redis", orders: Sequence[UUID]) -> bool:
    """Whether all are completed; if not, those that wait have waited long enough, and are swept."""
    left = [order_id for order_id in orders if world.order(order_id).status is not OrderStatus.COMPLETED]
    assert {world.order(order_id).status for order_id in left} <= {OrderStatus.OPEN, OrderStatus.COMPLETED}
    if left:
        recurring(broker, "sweep")
        recurring(broker, "relay")
    return not left
