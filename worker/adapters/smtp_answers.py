"""A server's answer is awaited as long as the socket's time limit says, however many pieces it comes in: the library begins anew with each."""

import io
import math
import smtplib
import socket
import time
from typing import Any, Final

LONGEST: Final = 1 << 20
"""bytes of one answer; no honest one has as many"""


class Dialogue(smtplib.SMTP):
    def getreply(self) -> tuple[int, bytes]:
        if self.sock is None or (limit := self.sock.gettimeout()) is None:
            return super().getreply()
        if not isinstance(self.file, _Answers):
            self.file = _Answers(_Pieces(self.sock))
        self.file.raw.expect(within=limit)
        try:
            return super().getreply()
        finally:
            if self.sock is not None:
                self.sock.settimeout(limit)


class DialogueOverTls(Dialogue, smtplib.SMTP_SSL):
    pass


class _Pieces(io.RawIOBase):
    """What comes on a socket until an answer's time is over. Raises OSError then."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._ends = math.inf
        self._left = LONGEST

    def expect(self, *, within: float) -> None:
        self._ends, self._left = time.monotonic() + within, LONGEST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._ends - time.monotonic()
        if seconds <= 0 or self._left <= 0:
            raise TimeoutError("the answer does not end")
        self._sock.settimeout(seconds)
        count = self._sock.recv_into(buffer)
        self._left -= count
        return count


class _Answers(io.BufferedReader):
    raw: _Pieces
