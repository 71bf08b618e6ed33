"""What the application needs beside the steps' own wiring, made from the settings at start."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import structlog
from redis.exceptions import RedisError

from api_stub.edge.rate_limit import RateLimit
from worker import heap, single_redis
from worker.logs import set_up_logging
from worker.relay import publish_pending
from worker.settings import settings
from worker.wiring import plug_in_from_settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    rate_limit: RateLimit
    publish: Callable[[], int]
    broker_answers: Callable[[], bool]
    secure: bool
    """reached by HTTPS only, and browsers may be told so"""


def from_settings() -> Parts:
    """Plug in database, adapters and policy, and make the rest. Raises SettingsError."""
    chosen = settings()
    set_up_logging()
    plug_in_from_settings()
    import_module("worker.app")  # becomes the app that messages go out by; it reads the settings while it is imported
    broker = chosen.broker_url.get_secret_value()
    heap.freeze()
    return Parts(
        rate_limit=RateLimit(chosen.api_rate_limit, broker),
        publish=publish_pending,
        broker_answers=lambda: answers(broker),
        secure=str(chosen.public_url).startswith("https://"),
    )


def answers(redis_url: str) -> bool:
    """Whether Redis is one server and accepts a write within a second; a replica or a full Redis would still answer a PING."""
    try:
        with single_redis.connected(redis_url) as client:
            single_redis.check_mode(client, redis_url)
            return bool(client.set("prorata:readyz", "asked", ex=60))
    except single_redis.NotOneServer as error:
        log.warning("not ready: broker", advice=str(error))
    except RedisError:
        pass
    return False
