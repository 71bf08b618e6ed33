"""One connection for several emails: when it is used again, when not, and that no email is lost or doubled by it."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import pytest

from tasks.errors import AddressRefused, OutcomeUnknown, TemporarilyUnavailable
from tasks.ports import Letter
from tests.support.mailbox import Mailbox, running_mailbox
from tests.support.stand_in_process import ROOT
from worker.adapters import smtp_connections
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import Server

LETTER = Letter("<order-7.confirmation@prorata.example>", "anna@customer.example", "Hi", "Hi", "<p>Hi</p>", "en")


@dataclass
class Scripted:
    """A mail server that counts its connections; `answer` may put another line, or None to hang up, for a command."""

    port: int
    answer: Callable[[int, str, int], str | None] = lambda _connection, _command, _emails: ""
    """(number of the connection, command, emails taken on it so far) -> line; "" is the usual one"""
    pipelining: bool = False
    """whether it lets itself be asked ahead"""
    emails: list[tuple[int, str]] = field(default_factory=list)
    """(connection, recipient)"""
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    ended: list[int] = field(default_factory=list)

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(taken, self.connections), daemon=True).start()

    def _talk(self, taken: socket.socket, number: int) -> None:
        with (
            taken,
            taken.makefile("rb") as lines,
            suppress(ConnectionError),
        ):  # whoever is refused may leave without a word
            taken.sendall(b"220 hello\r\n")
            self._answer_all(taken, number, lines)
        self.ended.append(number)

    def _answer_all(self, taken: socket.socket, number: int, lines: BinaryIO) -> None:
        emails, sender, recipient = 0, False, ""
        for line in lines:
            command = line.split()[0].decode().upper()
            self.commands.append(command)
            given = self.answer(number, command, emails)
            if given is None:
                return
            usual = "221 bye" if command == "QUIT" else "250 ok"
            if command == "EHLO" and self.pipelining:
                usual = "250-ok\r\n250 PIPELINING"
            elif command == "MAIL":
                sender, recipient = not given, ""
            elif (command == "RCPT" and not sender) or (command == "DATA" and not recipient):
                usual = "503 nobody"
            elif command == "RCPT" and not given:
                recipient = line.decode().partition("<")[2].partition(">")[0]
            elif command == "DATA" and not given:
                taken.sendall(b"354 go on\r\n")
                while (content := lines.readline()) != b".\r\n":
                    if not content:
                        return
                emails += 1
                self.emails.append((number, recipient))
                given = self.answer(number, "END", emails)
                if given is None:
                    return
                usual = "250 kept"
            taken.sendall((given or usual).encode() + b"\r\n")
            if command == "QUIT":
                return


@pytest.fixture(params=[False, True], ids=["one by one", "asked ahead"])
def server(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        scripted = Scripted(listening.getsockname()[1], pipelining=request.param)
        threading.Thread(target=scripted.serve, args=(listening,), daemon=True).start()
        yield scripted


def mailer(server: Scripted | Mailbox, *, idle_seconds: float = 60.0, attempts: int = 1) -> SmtpMailer:
    there = Server(host="127.0.0.1", port=server.port, tls="none", timeout=240)
    return SmtpMailer(there, Sender.read("b@prorata.example", "B"), attempts=attempts, idle_seconds=idle_seconds)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_emails_that_follow_each_other_go_over_one_connection_and_greet_once(server: Scripted) -> None:
    ours = mailer(server)
    for _ in range(3):
        ours.send(LETTER)
    assert server.emails == [(1, "anna@customer.example")] * 3
    assert server.commands == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3]


def test_a_connection_that_waited_long_enough_is_closed_with_a_goodbye(server: Scripted) -> None:
    ours = mailer(server, idle_seconds=0.2)
    ours.send(LETTER)
    until(lambda: server.ended == [1])
    assert server.commands[-1] == "QUIT"
    ours.send(LETTER)
    assert server.emails[1][0] == 2


def test_a_server_that_closed_the_waiting_connection_costs_no_try(server: Scripted) -> None:
    server.answer = lambda _number, command, _emails: None if command == "AGAIN" else ""
    ours = mailer(server)
    ours.send(LETTER)
    hang_up(ours, server)
    ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 2]


def hang_up(ours: SmtpMailer, server: Scripted) -> None:
    """Our side of the connections that the server ends while they wait."""
    for kept in ours._connections._waiting:
        assert kept.connection.sock is not None
        kept.connection.sock.sendall(b"AGAIN\r\n")
    until(lambda: len(server.ended) == len(ours._connections._waiting))


@pytest.mark.parametrize("line", ["421 4.4.2 idle too long", "452 4.5.3 too many emails", "503 5.5.1 again?", None])
def test_whatever_a_kept_connection_says_to_another_email_a_new_one_has_the_last_word(
    server: Scripted, line: str | None
) -> None:
    server.answer = lambda _number, command, emails: line if command == "MAIL" and emails else ""
    ours = mailer(server)
    for _ in range(3):
        ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 2, 3]


def test_a_server_that_takes_only_so_many_emails_for_each_connection_gets_them_all(server: Scripted) -> None:
    server.answer = lambda _number, command, emails: "421 enough" if command == "MAIL" and emails == 2 else ""
    ours = mailer(server)
    for _ in range(5):
        ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 1, 2, 2, 3]


def test_a_connection_is_given_up_after_so_many_emails(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_connections, "MOST_EMAILS", 2)
    ours = mailer(server)
    for _ in range(3):
        ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 1, 2]


def test_a_new_connection_that_is_put_off_too_is_temporarily_unavailable(server: Scripted) -> None:
    server.answer = lambda number, command, emails: "421 no" if command == "MAIL" and (emails or number > 1) else ""
    ours = mailer(server)
    ours.send(LETTER)
    with pytest.raises(TemporarilyUnavailable) as failed:
        ours.send(LETTER)
    assert not isinstance(failed.value, OutcomeUnknown)
    assert (len(server.emails), server.connections) == (1, 2)


def test_an_answer_lost_on_a_kept_connection_is_an_unknown_outcome_and_not_tried_again(server: Scripted) -> None:
    server.answer = lambda _number, command, emails: None if command == "END" and emails == 2 else ""
    ours = mailer(server, attempts=3)
    ours.send(LETTER)
    with pytest.raises(OutcomeUnknown):
        ours.send(LETTER)
    assert (len(server.emails), server.connections) == (2, 1)


def test_a_kept_connection_lost_at_the_recipient_is_a_try_like_any_other(server: Scripted) -> None:
    server.answer = lambda _number, command, emails: None if command == "RCPT" and emails else ""
    ours = mailer(server, attempts=2)
    ours.send(LETTER)
    ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 2]


def test_after_a_refused_recipient_the_next_customer_gets_a_new_connection(server: Scripted) -> None:
    server.answer = lambda number, command, _emails: "550 5.1.1 who" if (number, command) == (1, "RCPT") else ""
    ours = mailer(server)
    with pytest.raises(AddressRefused):
        ours.send(LETTER)
    ours.send(replace(LETTER, to="berta@customer.example"))
    assert server.emails == [(2, "berta@customer.example")]


def test_emails_of_threads_that_follow_each_other_go_over_one_connection(server: Scripted) -> None:
    ours = mailer(server)
    for _ in range(3):
        with ThreadPoolExecutor(1) as another:
            another.submit(ours.send, LETTER).result()
    assert [number for number, _ in server.emails] == [1, 1, 1]


def test_emails_at_the_same_time_each_have_their_own_and_the_next_take_the_one_used_last(server: Scripted) -> None:
    ours, together = mailer(server), threading.Barrier(4, timeout=240)

    def none_before_all_have_begun(_number: int, command: str, emails: int) -> str:
        if command == "MAIL" and emails == 0:
            together.wait()
        return ""

    server.answer = none_before_all_have_begun
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ours.send, [replace(LETTER, to=f"{name}@customer.example") for name in "abcd"]))
    for _ in range(3):
        ours.send(LETTER)
    assert {number for number, _ in server.emails[:4]} == {1, 2, 3, 4}
    assert len({number for number, _ in server.emails[4:]}) == 1
    assert server.connections == 4


def test_a_server_that_closed_all_waiting_connections_costs_no_try(server: Scripted) -> None:
    both = threading.Barrier(2, timeout=240)

    def answer(_number: int, command: str, emails: int) -> str | None:
        if command == "MAIL" and emails == 0 and server.connections <= 2:
            both.wait()
        return None if command == "AGAIN" else ""

    server.answer = answer
    ours = mailer(server)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ours.send, [LETTER, LETTER]))
    hang_up(ours, server)
    ours.send(LETTER)
    assert [number for number, _ in server.emails][2] == 3


def test_a_forked_child_leaves_its_parents_connection_alone(server: Scripted) -> None:
    ours = mailer(server)
    ours.send(LETTER)
    child = os.fork()
    if child == 0:
        try:
            ours.send(LETTER)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    ours.send(LETTER)
    assert [number for number, _ in server.emails] == [1, 2, 1]


def test_a_mailer_that_is_gone_leaves_no_connection_behind(server: Scripted) -> None:
    ours = mailer(server, idle_seconds=0.5)
    ours.send(LETTER)
    del ours
    until(lambda: server.ended == [1])
    assert server.commands[-1] == "QUIT"


def test_a_process_that_ends_says_goodbye(server: Scripted) -> None:
    program = (
        "from tests.adapters.test_smtp_connections import LETTER, Scripted, mailer;"
        f"ours = mailer(Scripted({server.port})); ours.send(LETTER)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=240)
    until(lambda: server.ended == [1])
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("kind", ["down", "busy"])
def test_a_fault_before_emails_ends_the_mailboxs_waiting_connections(
    tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    with running_mailbox(tmp_path_factory.mktemp("mailbox")) as mailbox:
        ours = mailer(mailbox)
        ours.send(LETTER)
        mailbox.fail(kind)
        with pytest.raises(TemporarilyUnavailable):
            ours.send(LETTER)
        mailbox.heal()
        ours.send(LETTER)
        assert len(mailbox.listed()) == 2


def test_a_mailbox_killed_and_started_again_gets_the_next_email(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_mailbox(tmp_path_factory.mktemp("mailbox")) as mailbox:
        ours = mailer(mailbox)
        ours.send(LETTER)
        mailbox.kill_and_restart()
        ours.send(LETTER)
        assert len(mailbox.listed()) == 2
