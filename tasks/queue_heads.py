"""What comes next in each queue, and since when it has waited: whatever began to wait later still lies behind it.

Redis can say whether a message lies in a list only by reading all of it; the oldest says it for all, however long the list is.
"""

import json
import time
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from celery import current_app
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)

SINCE: Final = "waiting_since"
"""a message's header: seconds since the epoch. An order's is the database's time, at which it was put into the outbox."""
_UNREADABLE = (LookupError, OSError, OverflowError, RecursionError, TypeError, ValueError)


def stamp(headers: MutableMapping[str, Any], **_: Any) -> None:
    """For Celery's `before_task_publish`: every message says since when it waits."""
    headers.setdefault(SINCE, time.time())


def since(at: datetime) -> Mapping[str, Any]:
    """Headers of a message that has waited since then."""
    return {SINCE: at.timestamp()}


def waiting(queues: Iterable[str]) -> dict[str, datetime]:
    """Since when the next message of each queue has waited, by queue; where none waits, or a broken one, or no broker is there, it is left out."""
    with current_app.connection_for_read() as broker:
        try:
            client = broker.channel().client  # its default channel would go on trying to connect for seconds
            heads = {queue: client.lindex(queue, -1) for queue in queues}
        except (KombuError, *broker.connection_errors, *broker.channel_errors) as error:
            log.warning("the broker is away", error=type(error).__name__)
            return {}
    found = {queue: _waiting_since(message) for queue, message in heads.items() if message is not None}
    return {queue: at for queue, at in found.items() if at is not None}


def _waiting_since(message: bytes) -> datetime | None:
    """None where the message does not say. Whoever takes it out next hands it aside, if it is none (`worker.rejected`)."""
    try:
        return datetime.fromtimestamp(json.loads(message)["headers"][SINCE], UTC)
    except _UNREADABLE:
        return None
