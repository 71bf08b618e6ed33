"""Whether a worker still takes messages: one that lives, and even answers a ping, may have stopped taking them.

A canary is sent to the worker's own queue, which it reads on the same connection as all others; it leaves a sign (its song) in Redis.

A health check runs all the time. With Celery, starting Python alone would take several times the processor time of all else, so this module needs
only Redis's client, and writes the message itself.
"""

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError
from redis.retry import Retry

from worker import certificates

CANARY: Final = "canary"
"""the task's name"""
WITHIN: Final = 10.0
"""seconds in which a worker has to sing; a busy one takes longer"""
HEARD_FOR: Final = 60
"""seconds that a song stays in Redis, and a message that no worker ever takes"""
LISTEN: Final = 2.0
"""seconds that Redis is asked to wait at a time: less than `socket_timeout`, after which its silence would count as an outage"""
NEEDLESS: Final = ("_kombu.binding.C.dq2", "_kombu.binding_permanent.C.dq2")
"""Where kombu notes each worker's own queue, for ever, though messages go there by its name. A name is often a container's, and used once."""


def connected(broker_url: str) -> "Redis":
    """Connects when it is first used, and anew where the server was demoted, as after a failover its successor has the address.

    Raises ValueError that says what is wrong with the address.
    """
    url, again = certificates.checked(broker_url), Retry(NoBackoff(), 1)
    return Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5, retry=again, retry_on_error=[ReadOnlyError])


def sings(broker: "Redis", worker: str, *, within: float) -> bool:
    """Whether `worker` (its Celery name, payments@host) takes and handles a message that is sent now, in so many seconds. Raises RedisError."""
    song = f"prorata:canary:{uuid4()}"
    send(broker, worker, song=song, within=within)
    return heard(broker, song, within=within)


def send(broker: "Redis", worker: str, *, song: str | None, within: float) -> None:
    """Send `worker` a canary that it drops after so many seconds. song: None where it is enough that it is taken. Raises RedisError."""
    queue = f"{worker}.dq2"
    with broker.pipeline() as request:
        request.lpush(queue, json.dumps(_message(queue, song, until=datetime.now(UTC) + timedelta(seconds=within))))
        request.expire(queue, math.ceil(within) + HEARD_FOR)  # a worker that is gone never takes it
        request.delete(*NEEDLESS)
        request.execute()


def _message(queue: str, song: str | None, *, until: datetime) -> dict[str, object]:
    """As Celery puts it into Redis."""
    task = str(uuid4())
    return {
        "body": json.dumps([[song], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": CANARY, "id": task, "root_id": task, "expires": until.isoformat()},
        "properties": {
            "correlation_id": task,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": None,
            "delivery_tag": str(uuid4()),
        },
    }


def heard(broker: "Redis", song: str, *, within: float, now: Callable[[], float] = time.monotonic) -> bool:
    """Whether `song` is in Redis, or comes there in so many seconds. Raises RedisError."""
    until = now() + within
    while (left := until - now()) > 0:
        if broker.brpop(song, timeout=max(0.1, min(left, LISTEN))):  # 0 would be for ever
            return True
    return False
