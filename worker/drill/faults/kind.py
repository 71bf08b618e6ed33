"""A kind of fault, and what it needs to strike."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from worker.drill.detour import Proxies
from worker.drill.ground import Ground

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Strike:
    """What a fault needs to strike: where, with what luck, and how long a lasting fault lasts."""

    ground: Ground
    proxies: Proxies
    luck: random.Random
    lasting: float
    """seconds for what lasts a while (a half-open connection, a mail server that is down)"""
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def turn(self, what: str) -> AbstractAsyncContextManager[None]:
        """A lock on `what`: no two faults may restart the same thing at once."""
        return self.turns[what]

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in a thread."""
        return await asyncio.to_thread(partial(call, *args, **kwargs))


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    strike: Callable[[Strike], Awaitable[int]]
    """returns how many things it hit (processes, connections, messages, calls to come)"""
