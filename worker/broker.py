"""Kombu's way to a Redis queue, mended in three places; each channel is put in the place of kombu's.

`SwiftChannel`, for whoever publishes: kombu makes a new client for each command, which takes twice as long as the command.
`Channel`, for workers' main processes: there, one list entry that kombu cannot read ends the worker; this one hands it aside and
goes on. What lies in a queue's list is anybody's who may write to Redis. Its `Held` leaves out the book that kombu keeps in Redis.
"""

from collections.abc import Callable, Sequence
from queue import Empty
from typing import Any

import structlog
from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from redis import Redis

log = structlog.get_logger(__name__)

HandAside = Callable[[str, bytes, Exception], None]
"""is told the queue, what lay in it, and what was wrong with that"""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
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
    """A client that waits at the queues, and knows what it received there last: the queue's list, and the entry."""

    received: tuple[bytes, bytes] | None = None

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        self.received = None
        received = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name == "BRPOP":
            self.received = received
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


class Held(virtual.QoS):
    """What a worker holds is known to the worker alone. One that ends gives it back; of one that dies, the sweep restarts the orders, as it
    does with whatever else a broker loses. Kombu's book of it in Redis costs eight commands a message, and would be read minutes later.
    """

    def restore_unacked(self) -> list[Any]:
        """All in one request, which fails once where Redis is away. What cannot be given back is not dumped into a file, as kombu would
        have it.
        """
        self._flush()  # type: ignore[no-untyped-call]
        held = list(self._delivered.values())
        self._delivered.clear()
        try:
            self.channel.give_back(held)
        except Exception as error:  # noqa: BLE001 - the worker ends whatever it is, and the sweep restarts these orders
            log.warning("messages not given back", number=len(held), error=type(error).__name__)
        return []


class Message(virtual.Message):
    """Kombu's, with what it takes to put it by. Raises one of UNREADABLE where the envelope is none."""

    def __init__(self, payload: Any, channel: Any = None, **named: Any) -> None:
        if payload["headers"].get("compression"):
            raise ValueError("nobody here compresses messages, and this one may be of any size once it is unpacked")
        super().__init__(payload, channel=channel, **named)  # type: ignore[no-untyped-call]
        names = (self.delivery_tag, self.delivery_info["exchange"], self.delivery_info["routing_key"])
        if not all(isinstance(name, str) for name in names):
            raise TypeError("delivery tag, exchange and routing key must be text")


class Channel(SwiftChannel):
    Message = Message
    QoS: Any = Held

    def _get_client(self) -> Any:
        return Client

    def _brpop_read(self, **options: Any) -> Any:
        """What cannot be read counts as nothing received."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except UNREADABLE as error:
            if self.client.received is None:
                raise
            queue, entry = self.client.received
            _hand_aside(bytes_to_str(queue).partition(self.sep)[0], entry, error)
            raise Empty from error

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """leftmost: last in line, as entries come in at the left."""
        self.give_back([message], last_in_line=leftmost)

    def give_back(self, messages: Sequence[Any], *, last_in_line: bool = False) -> None:
        """Into their queues: first in line, in the order they were received in. Raises redis's errors."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as request:
            for message in reversed(messages):
                where = message.delivery_info
                self._do_restore_message(  # type: ignore[no-untyped-call]
                    message._raw, where["exchange"], where["routing_key"], request, last_in_line
                )
            request.execute()
