"""Stripe's limit of requests for each endpoint: so many in any one second, and a 429 for the next (https://docs.stripe.com/rate-limits).

Each operation is an endpoint, whatever the ids in its path. What was refused does not count.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from api_stub.stand_ins.stripe.errors import ApiError

MESSAGE = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."


@dataclass
class RateLimit:
    per_second: int | None = None
    """of each endpoint; None: no limit"""
    second: float = 1.0
    """how many seconds that lasts: with a long one, tests need not be quick"""
    clock: Callable[[], float] = time.monotonic
    refused: int = 0
    """how many requests got a 429"""
    _taken: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def take(self, endpoint: str) -> None:
        """Count a request. Raises 429 where there were too many within the last second."""
        if self.per_second is None:
            return
        now, taken = self.clock(), self._taken[endpoint]
        while taken and taken[0] <= now - self.second:
            taken.popleft()
        if len(taken) >= self.per_second:
            self.refused += 1
            raise exceeded({"Stripe-Rate-Limited-Reason": "endpoint-rate"})
        taken.append(now)


def exceeded(headers: dict[str, str]) -> ApiError:
    return ApiError(429, "invalid_request_error", MESSAGE, executed=False, code="rate_limit", headers=headers)
