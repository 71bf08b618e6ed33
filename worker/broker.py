"""Kombu's way to a Redis queue, mended in three places; each channel is put in the place of kombu's.

`SwiftChannel`, for whoever publishes: kombu makes a new client for each command, which takes twice as long as the command.
`Channel`, for workers' main processes: there, one list entry that kombu cannot read ends the worker; this one hands it aside and
goes on. What lies in a queue's list is anybody's who may write to Redis. Its `Held` keeps the same books as kombu with one command a
message in place of eight.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from time import time
from typing import Any, Final, cast

from kombu.asynchronous import get_event_loop
from kombu.transport import redis
from kombu.transport.virtual import QoS
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

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


FORGOTTEN_AFTER: Final = 0.3
"""seconds that Redis may still take a message for held when it is done, where no other comes"""


class Held(redis.QoS):
    """The messages a worker holds, for Redis to hand out again should it die. Those it is done with are struck out with the next one's
    entry; a worker that dies before leaves them to be delivered twice, which every step bears."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._done: list[str] = []
        self._striking_out = False

    def append(self, message: Any, delivery_tag: str) -> None:
        where = message.delivery_info
        content = dumps([message._raw, where["exchange"], where["routing_key"]])
        with self.channel.conn_or_acquire() as client:
            keys = (self.unacked_index_key, self.unacked_key)
            self._enter(keys, (delivery_tag, time(), content, *self._done), client)
        self._done.clear()
        QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        self._done.append(delivery_tag)
        QoS.ack(self, delivery_tag)
        if (loop := get_event_loop()) is None:
            self._strike_out()
        elif not self._striking_out:
            self._striking_out = True
            loop.call_later(FORGOTTEN_AFTER, self._strike_out)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        with suppress(RedisError):  # it is away, most likely: they come once more
            self._strike_out()
        super().restore_unacked_once(stderr)  # type: ignore[no-untyped-call]

    @cached_property
    def _enter(self) -> Script:
        with self.channel.conn_or_acquire() as client:
            return cast(Script, client.register_script(_ENTER))

    def _strike_out(self) -> None:
        self._striking_out = False
        if self._done:
            with self.pipe_or_acquire() as pipe:
                pipe.zrem(self.unacked_index_key, *self._done).hdel(self.unacked_key, *self._done).execute()
            self._done.clear()


_ENTER = """
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
if #ARGV > 3 then
    redis.call('ZREM', KEYS[1], unpack(ARGV, 4))
    redis.call('HDEL', KEYS[2], unpack(ARGV, 4))
end
"""


class Channel(SwiftChannel):
    QoS = Held

    def _get_client(self) -> Any:
        return partial(Client, read=self._read)

    def _read(self, item: bytes) -> None:
        """Raises one of UNREADABLE where kombu would stumble: over the entry, its envelope, or what it needs to put it by."""
        message = self.Message(loads(bytes_to_str(item)), channel=self)  # type: ignore[no-untyped-call]
        names = (message.delivery_tag, message.delivery_info["exchange"], message.delivery_info["routing_key"])
        if not all(isinstance(name, str) for name in names):
            raise TypeError("delivery tag, exchange and routing key must be text")
