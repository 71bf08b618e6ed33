"""Kombu's Redis transport, fixed in three places; `install` puts one of these channels in the place of kombu's.

`SwiftChannel`, for publishers: kombu makes a new client for each command, which takes twice as long as the command.
`Channel`, for workers' main processes: with kombu's, one list entry that it cannot read ends the worker; this one hands the entry
aside and goes on. Anybody who may write to Redis can put one there. `Held` leaves out kombu's record of held messages in Redis.
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
"""called with the queue, the entry, and what was wrong with it"""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""what reading an entry that is no message may raise"""

_hand_aside: HandAside


def install(hand_aside: HandAside | None = None) -> None:
    """Call it before the first connection. hand_aside: for a worker; must not raise."""
    global _hand_aside
    if hand_aside is not None:
        _hand_aside = hand_aside
    # Registering a transport by name could be too late: kombu caches those it has looked up.
    redis.Transport.Channel = SwiftChannel if hand_aside is None else Channel


class Client(Redis):
    """A client that remembers what its last BRPOP received: the queue's list, and the entry."""

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
    """The messages a worker holds are known to that worker alone. One that shuts down gives them back; after one that dies, the sweep restarts
    the orders, as it does for anything a broker loses. Kombu's record in Redis costs eight commands a message, and is read only minutes later.
    """

    def restore_unacked(self) -> list[Any]:
        """All in one request, which fails only once where Redis is down. Unlike kombu, this does not dump into a file what cannot be given
        back.
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
    """Kombu's, with checks of what is needed to give it back. Raises one of UNREADABLE where the envelope is malformed."""

    def __init__(self, payload: Any, channel: Any = None, **named: Any) -> None:
        if payload["headers"].get("compression"):
            raise ValueError("compressed messages are not accepted: this one may be of any size once unpacked")
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
        """An entry that cannot be read counts as nothing received."""
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
        """Put messages back into their queues: first in line, in the order received. Raises redis's errors."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as request:
            for message in reversed(messages):
                where = message.delivery_info
                self._do_restore_message(  # type: ignore[no-untyped-call]
                    message._raw, where["exchange"], where["routing_key"], request, last_in_line
                )
            request.execute()
