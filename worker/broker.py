"""Kombu's way to a Redis queue, mended in two places; each channel is put in the place of kombu's.

`SwiftChannel`, for whoever publishes: kombu makes a new client for each command, which takes twice as long as the command.
`Channel`, for workers' main processes: there, one list entry that kombu cannot read ends the worker; this one hands it aside and
goes on. What lies in a queue's list is anybody's who may write to Redis.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis import Redis

HandAside = Callable[[str, bytes, Exception], None]
"""is told the queue, what lay in it, and what was wrong with that"""
UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""what reading something that is no message ends with"""

_hand_aside: HandAside


def install(hand_aside: HandAside | None = None) -> None:
    """Before the first connection. hand_aside, for a worker: must not raise."""
    global _hand_aside
    if hand_aside is not None:
        _hand_aside = hand_aside
    # By name it could be too late: kombu keeps the transports it has looked up.
    redis.Transport.Channel = SwiftChannel if hand_aside is None else Channel


class Client(Redis):
    """A client that waits at the queues: what cannot be read counts as nothing received."""

    def __init__(self, *, read: Callable[[bytes], None], **options: Any) -> None:
        super().__init__(**options)
        self._read = read

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        received = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP" and received:
            key, item = received
            try:
                self._read(item)
            except UNREADABLE as error:
                _hand_aside(bytes_to_str(key).partition(redis.Channel.sep)[0], item, error)
                return None
        return received


class SwiftChannel(redis.Channel):
    """One client for all commands; it takes a connection of the pool for each, so threads may share it."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call]
        return self._kept


class Channel(SwiftChannel):
    def _get_client(self) -> Any:
        return partial(Client, read=self._read)

    def _read(self, item: bytes) -> None:
        """Raises one of UNREADABLE where kombu would stumble: over the entry, its envelope, or what it needs to put it by."""
        message = self.Message(loads(bytes_to_str(item)), channel=self)  # type: ignore[no-untyped-call]
        names = (message.delivery_tag, message.delivery_info["exchange"], message.delivery_info["routing_key"])
        if not all(isinstance(name, str) for name in names):
            raise TypeError("delivery tag, exchange and routing key must be text")
