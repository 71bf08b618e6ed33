"""How long the head of each queue has waited, and how many messages are in it: every one that was sent later is still behind it.

To find a given message in a list, Redis would have to read the whole list. The oldest message is enough, however long
the list is.
"""

import json
import time
from collections.abc import Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog
from celery import current_app
from kombu.exceptions import KombuError

from tasks.errors import without_broker

log = structlog.get_logger(__name__)

SINCE: Final = "waiting_since"
"""message header, seconds since the epoch; for a message about an order, when it was put into the outbox by the database's clock"""
IN_HANDS: Final = 5.0
"""seconds that a message may wait inside a worker, which prefetches more than it can work on at once"""
KEPT_AS: Final = "prorata:heads:"
"""prefix of Redis keys, one sorted set per queue: members `seen:since`, scored by when the head was seen"""
_UNREADABLE = (LookupError, OSError, OverflowError, RecursionError, TypeError, ValueError)


def stamp(headers: MutableMapping[str, Any], **_: Any) -> None:
    """Handler of Celery's `before_task_publish`: stamps each message with the time from which it waits. A retry starts again from now."""
    if SINCE not in headers or headers.get("retries"):
        headers[SINCE] = time.time()


def since(at: datetime) -> Mapping[str, Any]:
    """Headers of a message that has waited since `at`."""
    return {SINCE: at.timestamp()}


class Queued(NamedTuple):
    """since: when the message was sent that was at the queue's head `IN_HANDS` seconds ago; None if the head could not be read."""

    since: datetime | None
    messages: int


def waiting(queues: Collection[str], *, now: datetime) -> dict[str, Queued]:
    """Any message sent after a queue's `since` is still in the queue, or has only just been taken by a worker. The head of an empty queue
    counts as sent at `now`, by the database's clock.

    All queues are left out while the broker is away: no message then counts as queued.
    """
    with current_app.connection_for_read() as broker:
        try:
            client = broker.channel().client  # the connection's default_channel would retry connecting for seconds
            seen_at = now.timestamp()
            heads = {queue: _since(client.lindex(queue, -1), if_none=seen_at) for queue in queues}
            before = {queue: _before(client, KEPT_AS + queue, seen_at, head) for queue, head in heads.items()}
            messages = {queue: client.llen(queue) for queue in queues}
        except (KombuError, *broker.connection_errors, *broker.channel_errors) as error:
            log.warning(without_broker(error), error=type(error).__name__)
            return {}
    return {
        queue: Queued(None if at is None else datetime.fromtimestamp(at, UTC), messages[queue])
        for queue, at in before.items()
    }


def _since(message: bytes | None, *, if_none: float) -> float | None:
    """Since when the message has waited; None if it does not say. A malformed message is rejected by its consumer (`worker.rejected`)."""
    if message is None:
        return if_none
    try:
        at = float(json.loads(message)["headers"][SINCE])
    except _UNREADABLE:
        return None
    return at if 0 < at < if_none + 86400 else None


def _before(client: Any, key: str, seen_at: float, head: float | None) -> float | None:
    """The first head seen within the last `IN_HANDS` seconds. Stores `head` for later calls."""
    with client.pipeline() as pipe:
        if head is not None:
            pipe.zadd(key, {f"{seen_at}:{head}": seen_at})
        pipe.zremrangebyscore(key, "-inf", seen_at - IN_HANDS)
        pipe.expire(key, 60)
        pipe.zrange(key, 0, 0)
        *_, first = pipe.execute()
    return float(first[0].partition(b":")[2]) if first else None
