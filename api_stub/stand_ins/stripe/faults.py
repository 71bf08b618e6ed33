"""Faults to order: what goes wrong, where, and how often. They live in memory and end with the process.

key_refused                401 for a key that was rolled or deleted, before anything else: nothing happened, nothing is kept
rate_limit                 429 before the idempotency layer: nothing happened, nothing is kept
unavailable                503 with `Stripe-Should-Retry: true`, before the idempotency layer
connection_reset           the connection is reset before anything happened
server_error               500, nothing happened, and this 500 is kept under the key
server_error_after_effect  500 although it happened, and this 500 is kept under the key
server_error_before_effect 500, kept under the key, and it happens `seconds` later or once the faults are cleared: Stripe reconciles
                           what an incident left unfinished
server_error_half_way      500, kept under the key; a charge was made, but no bank was asked, and none ever is. Other operations: server_error
dependency_failed          424, nothing happened, and this 424 is kept under the key; unlike a 500, it does not say so
hang                       nothing for `seconds` or until the faults are cleared, then it happens and is answered
hang_half_way              the same, but a charge is there at once, for all to see; it is its bank that is slow. Other operations: hang
answer_lost                it happens, then the connection is closed without an answer
"""

import asyncio
import random
import uuid
from contextlib import suppress
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class Kind(StrEnum):
    KEY_REFUSED = "key_refused"
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    CONNECTION_RESET = "connection_reset"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_AFTER_EFFECT = "server_error_after_effect"
    SERVER_ERROR_BEFORE_EFFECT = "server_error_before_effect"
    SERVER_ERROR_HALF_WAY = "server_error_half_way"
    DEPENDENCY_FAILED = "dependency_failed"
    HANG = "hang"
    HANG_HALF_WAY = "hang_half_way"
    ANSWER_LOST = "answer_lost"


class Fault(BaseModel):
    """`operation` and `path` are shell patterns, e.g. `payment_intents.*` or `/v1/refunds*`."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    operation: str = "*"
    path: str = "*"
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = None
    seconds: float = Field(default=30.0, ge=0)
    retry_after: float | None = Field(default=None, ge=0)
    id: str = Field(default_factory=lambda: uuid.uuid4().hex[:8])
    seen: int = 0

    _random: random.Random = PrivateAttr(default_factory=random.Random)
    _over: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    def model_post_init(self, _: object) -> None:
        self._random.seed(self.seed)

    def strikes(self, operation: str, path: str) -> bool:
        if not (fnmatchcase(operation, self.operation) and fnmatchcase(path, self.path)):
            return False
        if self.times is not None and self.seen >= self.times:
            return False
        if self._random.random() >= self.probability:
            return False
        self.seen += 1
        return True

    async def hang(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), self.seconds)

    def end(self) -> None:
        self._over.set()


class Faults:
    def __init__(self) -> None:
        self.active: list[Fault] = []

    def take(self, operation: str, path: str) -> Fault | None:
        """The first fault that strikes this request."""
        return next((fault for fault in self.active if fault.strikes(operation, path)), None)

    def clear(self) -> int:
        """How many there were; requests that hang go on."""
        cleared = len(self.active)
        for fault in self.active:
            fault.end()
        self.active.clear()
        return cleared
