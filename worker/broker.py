"""Kombu's way to a Redis queue, where one list entry that it cannot read ends the worker: this one hands it aside and goes on.

What lies in a queue's list is anybody's who may write to Redis. `install` puts this channel in the place of kombu's; only workers'
main processes need it.
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


def install(hand_aside: HandAside) -> None:
    """Before the first connection. hand_aside must not raise."""
    global _hand_aside
    _hand_aside = hand_aside
    redis.Transport.Channel = Channel  # by name it could be too late: kombu keeps the transports it has looked up


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


class Channel(redis.Channel):
    def _get_client(self) -> Any:
        return partial(Client, read=self._read)

    def _read(self, item: bytes) -> None:
        """Raises one of UNREADABLE where kombu would stumble: over the entry, its envelope, or what it needs to put it by."""
        message = self.Message(loads(bytes_to_str(item)), channel=self)  # type: ignore[no-untyped-call]
        names = (message.delivery_tag, message.delivery_info["exchange"], message.delivery_info["routing_key"])
        if not all(isinstance(name, str) for name in names):
            raise TypeError("delivery tag, exchange and routing key must be text")
