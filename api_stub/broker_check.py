"""Does Redis accept writes, and what is to be done if not? Asked for `/readyz`, and told where the outbox is not published."""

from typing import Final

from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from worker import certificates, single_redis
from worker.single_redis import NotOneServer

FULL: Final = "Redis is full, its `maxmemory` is reached: give it more, or delete what does not belong there. Orders wait meanwhile"
UNWRITABLE: Final = (
    "Redis cannot save: its disk is full or not writable, or too little memory is left to begin; its own log says which. "
    "Once it can, everything goes on by itself"
)
REPLICA: Final = "this Redis is a replica: name its primary in PRORATA_BROKER_URL"

LOGIN: Final = "Redis refuses our login: the user or the password in PRORATA_BROKER_URL is wrong or missing"
RIGHTS: Final = (
    'the user in PRORATA_BROKER_URL may not do this: docs/deploying.md says under "Messages that a worker holds" '
    "which rights it needs"
)
_SIGNS: Final = {"MISCONF ": UNWRITABLE, "-OOM ": FULL, "-READONLY ": REPLICA}
"""where redis's client has no exception for it: of the latter two where a script fails, before Redis 7"""


def require_writes(redis_url: str) -> None:
    """Raises NotOneServer, and RedisError unless it accepts a write within a second; a replica or a full Redis would still answer a PING."""
    with single_redis.connected(redis_url) as client:
        single_redis.check_mode(client, redis_url)
        client.set("prorata:readyz", "asked", ex=60)


def told(error: BaseException | None) -> dict[str, str]:
    """What Redis said, and what to do about it where that is known; nothing where it was not Redis that failed. kombu's errors have Redis's as their cause."""
    while error is not None and not isinstance(error, RedisError | NotOneServer):
        error = error.__cause__
    match error:
        case None:
            return {}
        case NotOneServer():
            return {"advice": str(error)}
        case OutOfMemoryError():
            advice: str | None = FULL
        case ReadOnlyError():
            advice = REPLICA
        case AuthenticationError():
            advice = LOGIN
        case NoPermissionError():
            advice = RIGHTS
        case ResponseError():
            advice = next((advice for sign, advice in _SIGNS.items() if sign in str(error)), None)
        case _:
            advice = certificates.what_to_do(str(error), "PRORATA_BROKER_URL")
    return {"said": str(error)} | ({"advice": advice} if advice else {})
