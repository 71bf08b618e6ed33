"""How often one API key may ask, and all that are unknown together. It is counted in Redis, so that all processes count together; without
Redis nobody is turned away."""

import math
import time

import structlog
from limits import parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from api_stub import broker_check
from api_stub.problems.details import Problem

log = structlog.get_logger(__name__)

PATIENCE = 0.25
"""seconds to wait for Redis"""
PAUSE = 5.0
"""seconds before Redis is asked again after it did not answer"""


class RateLimit:
    def __init__(self, rate: str, redis_url: str) -> None:
        """rate: in the notation of `limits`, "200/second"."""
        self._rate = parse(rate)
        self._storage = RedisStorage(
            redis_url,
            key_prefix="prorata:limits",
            wrap_exceptions=True,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._away_until = 0.0

    def count(self, who: str) -> None:
        """One more request of `who`. Raises Problem 429 where that is one too many."""
        if time.monotonic() < self._away_until:
            return
        try:
            if self._limiter.hit(self._rate, who):
                return
            wait = self._limiter.get_window_stats(self._rate, who).reset_time - time.time()
        except StorageError as error:
            self._away_until = time.monotonic() + PAUSE
            log.warning("rate limit cannot count", retry_in=PAUSE, **broker_check.told(error))
            # A server that a failover has demoted keeps its connections, while its successor has the address.
            self._storage.storage.connection_pool.disconnect(inuse_connections=False)
            return
        seconds = max(1, math.ceil(wait))
        raise Problem(
            429,
            "too-many-requests",
            f"Too many requests; please wait {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
