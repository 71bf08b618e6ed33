"""An email comes in whole, however it is cut up on its way, with its dots as they were written."""

import socket

import pytest

from tests.support.mailbox import Mailbox


class Line:
    """A connection past its greeting and its envelope."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._socket = socket.create_connection((mailbox.host, mailbox.port), timeout=240)
        self._file = self._socket.makefile("rb")
        self.answer()
        for command in (b"HELO me", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA"):
            self.say(command + b"\r\n")
            assert self.answer()[:1] in (b"2", b"3")

    def say(self, words: bytes) -> None:
        self._socket.sendall(words)

    def answer(self) -> bytes:
        return self._file.readline()

    def packet(self) -> bytes:
        """What comes next, as far as it comes together."""
        return self._socket.recv(65536)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
def test_an_email_may_come_in_pieces_of_any_size(mailbox: Mailbox, size: int) -> None:
    content = b"Subject: x\r\n\r\n..hidden\r\nin . the middle.\r\n...\r\nlast\r\n"
    whole = content + b".\r\n"
    with Line(mailbox) as line:
        for start in range(0, len(whole), size):
            line.say(whole[start : start + size])
        assert line.answer().startswith(b"250 ")
    assert mailbox.source() == b"Subject: x\r\n\r\n.hidden\r\nin . the middle.\r\n..\r\nlast\r\n"


def test_an_email_of_nothing_is_one_too(mailbox: Mailbox) -> None:
    with Line(mailbox) as line:
        line.say(b".\r\n")
        assert line.answer().startswith(b"250 ")
    assert mailbox.source() == b""


def test_a_dot_between_other_line_ends_is_no_end(mailbox: Mailbox) -> None:
    """Else a second email could be smuggled in the first."""
    content = b"Subject: x\r\n\r\none\n.\ntwo\r.\rthree\n.\r\nfour\r\n"
    with Line(mailbox) as line:
        line.say(content + b".\r\n")
        assert line.answer().startswith(b"250 ")
    assert mailbox.source() == content


def test_commands_that_follow_at_once_are_answered_each(mailbox: Mailbox) -> None:
    with Line(mailbox) as line:
        line.say(b"Subject: x\r\n\r\nhello\r\n.\r\nMAIL FROM:<c@example.com>\r\nRCPT TO:<d@example.com>\r\nQUIT\r\n")
        assert [line.answer()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"221"]


def test_answers_to_an_envelope_that_came_at_once_come_in_one_packet(mailbox: Mailbox) -> None:
    with Line(mailbox) as line:
        line.say(b".\r\n")
        assert line.answer()[:3] == b"250"
        line.say(b"MAIL FROM:<c@example.com>\r\nRCPT TO:<d@example.com>\r\nRCPT TO:<e@example.com>\r\nDATA\r\n")
        assert [answer[:3] for answer in line.packet().splitlines()] == [b"250", b"250", b"250", b"354"]


@pytest.mark.parametrize(("length", "answer"), [(999, b"250"), (1000, b"500")])
def test_a_line_may_have_a_thousand_bytes_with_its_end(mailbox: Mailbox, length: int, answer: bytes) -> None:
    with Line(mailbox) as line:
        line.say(b"Subject: x\r\n\r\n" + b"x" * length + b"\r\n.\r\n")
        assert line.answer()[:3] == answer
        line.say(b"NOOP\r\n")
        assert line.answer()[:3] == b"250"


def test_what_is_too_large_is_refused_at_its_end_and_the_connection_goes_on(mailbox: Mailbox) -> None:
    with Line(mailbox) as line:
        many = (b"x" * 98 + b"\r\n") * 10_000
        for _ in range(34):
            line.say(many)
        line.say(b".\r\n")
        assert line.answer()[:3] == b"552"
        line.say(b"NOOP\r\n")
        assert line.answer()[:3] == b"250"
