"""Who is next in each queue, and since when that one has waited: whoever began to wait later still lies behind it.

Redis can say whether a message lies in a list only by reading all of it; its oldest says it for all, however long the list is.
"""

import json
import time
from collections.abc import Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from celery import current_app
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)

SINCE: Final = "waiting_since"
"""a message's header: seconds since the epoch. An order's is the database's time, at which it was put into the outbox."""
IN_HANDS: Final = 5.0
"""seconds that a worker may have a message before it begins: it takes more than it can work at once"""
KEPT_AS: Final = "prorata:heads:"
"""Redis keys of sorted sets, one a queue: `seen:since`, by when it was seen"""
_UNREADABLE = (LookupError, OSError, OverflowError, RecursionError, TypeError, ValueError)


def stamp(headers: MutableMapping[str, Any], **_: Any) -> None:
    """For Celery's `before_task_publish`: every message says since when it waits. A retry begins anew."""
    if SINCE not in headers or headers.get("retries"):
        headers[SINCE] = time.time()


def since(at: datetime) -> Mapping[str, Any]:
    """Headers of a message that has waited since then."""
    return {SINCE: at.timestamp()}


def waiting(queues: Collection[str], *, now: datetime) -> dict[str, datetime]:
    """By queue: when the message was sent that was at its head `IN_HANDS` seconds ago. Any that was sent later is still in the queue, or
    was only just taken by a worker. An empty queue counts as `now`, by the clock that stamps orders' messages, the database's.

    A queue is left out where that could not be read; all are, where the broker is away, for nothing waits in it then.
    """
    with current_app.connection_for_read() as broker:
        try:
            client = broker.channel().client  # its default channel would go on trying to connect for seconds
            seen_at = now.timestamp()
            heads = {queue: _since(client.lindex(queue, -1), if_none=seen_at) for queue in queues}
            before = {queue: _before(client, KEPT_AS + queue, seen_at, head) for queue, head in heads.items()}
        except (KombuError, *broker.connection_errors, *broker.channel_errors) as error:
            log.warning("the broker is away", error=type(error).__name__)
            return {}
    return {queue: datetime.fromtimestamp(at, UTC) for queue, at in before.items() if at is not None}


def _since(message: bytes | None, *, if_none: float) -> float | None:
    """None where the message does not say. Whoever takes it out next hands it aside, if it is none (`worker.rejected`)."""
    if message is None:
        return if_none
    try:
        at = float(json.loads(message)["headers"][SINCE])
    except _UNREADABLE:
        return None
    return at if 0 < at < if_none + 86400 else None


def _before(client: Any, key: str, seen_at: float, head: float | None) -> float | None:
    """What was seen first in the last `IN_HANDS` seconds; `head` is kept for those who ask later."""
    with client.pipeline() as pipe:
        if head is not None:
            pipe.zadd(key, {f"{seen_at}:{head}": seen_at})
        pipe.zremrangebyscore(key, "-inf", seen_at - IN_HANDS)
        pipe.expire(key, 60)
        pipe.zrange(key, 0, 0)
        *_, first = pipe.execute()
    return float(first[0].partition(b":")[2]) if first else None
