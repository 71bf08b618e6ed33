"""Loopback ports that two copies of us on one machine never pick both."""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
RANGE = range(20_000, 32_000)
"""Below the ports that Linux and macOS hand to outgoing connections, so that nobody is given ours by chance."""


@dataclass(frozen=True, slots=True)
class PortReservation:
    port: int
    claim: socket.socket

    def release(self) -> None:
        self.claim.close()


def reserve_port(among: Sequence[int] = RANGE) -> PortReservation:
    """A free TCP port of the loopback interface, ours until `release` or the end of this process. Raises OSError if none of these is free.

    The server that will listen on it is another process, so the TCP port itself must stay unbound; what we hold is the UDP port
    of the same number, which marks it as taken for every other copy and vanishes with us.
    """
    start = secrets.randbelow(len(among))
    for offset in range(len(among)):
        port = among[(start + offset) % len(among)]
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((LOOPBACK, port))
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, port))
        except OSError:
            claim.close()
            continue
        return PortReservation(port, claim)
    raise OSError(f"no free port between {among[0]} and {among[-1]} on {LOOPBACK}")
