"""Is a worker still taking messages? A process that lives, and even answers a ping, may have stopped taking them.

`canary` is sent to a worker's own queue, which it reads on the same connection as all others; it leaves a sign (its song) in Redis.
A health check that runs every few seconds listens for it, so this module needs no other of ours.
"""

import math
import time
from collections.abc import Callable
from uuid import uuid4

from celery import Celery, current_app, shared_task
from celery.utils.nodenames import worker_direct
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

HEARD_FOR = 60
"""seconds that a song stays in Redis"""
LISTEN = 2.0
"""seconds that Redis is asked to wait at a time: less than `socket_timeout`, after which its silence would count as an outage"""


@shared_task(name="canary", ignore_result=True)
def canary(song: str | None) -> None:
    """song: the key to leave in Redis as a sign; None where it is enough that the message was taken."""
    if song is None:
        return
    with current_app.connection_for_write() as connection:
        client = connection.default_channel.client
        client.lpush(song, 1)
        client.expire(song, HEARD_FOR)


def sings(app: Celery, worker: str, *, within: float) -> bool:
    """Whether `worker` (its Celery name, payments@host) takes and handles a message that `app` sends, in so many seconds.

    Raises kombu's OperationalError where the broker is away.
    """
    song = f"prorata:canary:{uuid4()}"
    queue = worker_direct(worker)
    app.send_task(canary.name, (song,), queue=queue, expires=within)
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        client.expire(queue.name, math.ceil(within) + HEARD_FOR)  # a worker that is not there never takes it
        return heard(client, song, within=within)


def heard(client: "Redis", song: str, *, within: float, now: Callable[[], float] = time.monotonic) -> bool:
    """Whether `song` is in Redis, or comes there in so many seconds. Raises kombu's OperationalError."""
    until = now() + within
    try:
        while (left := until - now()) > 0:
            if client.brpop(song, timeout=max(0.1, min(left, LISTEN))):  # 0 would be for ever
                return True
    except RedisError as error:
        raise OperationalError(str(error)) from error
    return False
