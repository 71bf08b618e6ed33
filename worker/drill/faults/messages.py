"""Faults of delivery: messages twice, in another order, late, and for steps that are not their order's next."""

import asyncio
import json
import random
from contextlib import AsyncExitStack
from uuid import uuid4

import redis
from sqlalchemy import func, insert, select

from models.messages import OutboxMessage
from models.orders import Order
from tasks.queues import STEP_QUEUES
from worker.drill.faults.kind import Fault, Strike
from worker.drill.kinds import STEPS
from worker.drill.signals import frozen
from worker.stack.processes import WORKERS

GATHERING = 0.7
"""seconds in which nobody reads, so that there is something to disarrange"""


async def _twice_and_reordered(on: Strike) -> int:
    return await _disarrange(on, late=False)


async def _late(on: Strike) -> int:
    return await _disarrange(on, late=True)


async def _disarrange(on: Strike, *, late: bool) -> int:
    async with AsyncExitStack() as turns:
        for name in (*WORKERS, "redis"):
            await turns.enter_async_context(on.turn(name))
        with redis.Redis.from_url(on.ground.stack.redis.url) as client, frozen(on.ground.stack, *WORKERS):
            await asyncio.sleep(GATHERING)
            taken = {queue: await on.aside(_take, client, queue) for queue in STEP_QUEUES}
            if not late:
                for queue, messages in taken.items():
                    await on.aside(_put, client, queue, shuffled_and_doubled(messages, on.luck))
        if late:
            await asyncio.sleep(on.lasting)
            with redis.Redis.from_url(on.ground.stack.redis.url) as client:
                for queue, messages in taken.items():
                    await on.aside(_put, client, queue, messages)
    return sum(map(len, taken.values()))


def _take(client: "redis.Redis", queue: str) -> list[bytes]:
    with client.pipeline(transaction=True) as commands:
        commands.lrange(queue, 0, -1)
        commands.delete(queue)
        return list(commands.execute()[0])


def _put(client: "redis.Redis", queue: str, messages: list[bytes]) -> None:
    if messages:
        client.lpush(queue, *messages)


def shuffled_and_doubled(messages: list[bytes], luck: random.Random) -> list[bytes]:
    """Every message twice, the copy with a delivery tag of its own, in random order."""
    doubled = messages + [_another_delivery(message) for message in messages]
    luck.shuffle(doubled)
    return doubled


def _another_delivery(message: bytes) -> bytes:
    said = json.loads(message)
    said["properties"]["delivery_tag"] = str(uuid4())
    return json.dumps(said).encode()


async def _any_step(on: Strike) -> int:
    """Publish any step of orders at any stage, ended ones too."""
    return await on.aside(_publish_any, on)


def _publish_any(on: Strike) -> int:
    with on.ground.begin() as session:
        ids = session.scalars(select(Order.id).order_by(func.random()).limit(40)).all()
        rows = [{"order_id": order_id, "step": on.luck.choice(STEPS)} for order_id in ids]
        if rows:
            session.execute(insert(OutboxMessage), rows)
    return len(ids)


MESSAGES = (
    Fault("messages: twice and in another order", _twice_and_reordered),
    Fault("messages: late", _late),
    Fault("messages: for any step of any order", _any_step),
)
