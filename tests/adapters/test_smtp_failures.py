"""What the SMTP adapter says of each failure, and whether the email was delivered once, twice or not."""

import logging
import queue
import socketserver
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar

import pytest

from tasks.errors import AddressRefused, Misconfigured, OutcomeUnknown, Refused, TemporarilyUnavailable
from tasks.ports import Letter
from tests.support.mailbox import Mailbox
from tests.support.messages import eventually
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import NotHandedOver, Server

LETTER = Letter(
    message_id="<order-7.confirmation@prorata.example>",
    to="anna@customer.example",
    subject="SECRET SUBJECT",
    text="SECRET TEXT",
    html="<p>SECRET HTML</p>",
    language="en",
)
OURS = Sender.read("billing@prorata.example", "Prorata Billing")


def mailer(mailbox: Mailbox, *, attempts: int = 3, timeout: float = 60.0, answer_timeout: float = 60.0) -> SmtpMailer:
    server = Server(host=mailbox.host, port=mailbox.port, tls="none", timeout=timeout, answer_timeout=answer_timeout)
    return SmtpMailer(server, OURS, attempts=attempts)


@pytest.mark.parametrize("kind", ["busy", "greylisted", "mailbox_full", "drop"])
def test_what_failed_before_the_email_was_handed_over_is_tried_again_and_delivered_once(
    mailbox: Mailbox, kind: str
) -> None:
    mailbox.fail(kind, times=2)
    mailer(mailbox).send(LETTER)
    assert len(mailbox.listed()) == 1


@pytest.mark.parametrize("kind", ["busy", "greylisted", "mailbox_full", "drop", "deferred"])
def test_what_does_not_pass_is_temporarily_unavailable_and_nothing_is_delivered(mailbox: Mailbox, kind: str) -> None:
    mailbox.fail(kind)
    with pytest.raises(TemporarilyUnavailable) as failed:
        mailer(mailbox, attempts=2).send(LETTER)
    assert not isinstance(failed.value, OutcomeUnknown)
    assert mailbox.listed() == []


def test_a_server_whose_name_has_no_address_is_named_with_its_setting() -> None:
    server = Server(host="mail.invalid", port=587, tls="none")
    with pytest.raises(TemporarilyUnavailable, match=r"no address is found of mail\.invalid \(PRORATA_SMTP_HOST\): "):
        SmtpMailer(server, OURS, attempts=1).send(LETTER)


def test_a_server_that_is_down_is_temporarily_unavailable_until_it_is_back(mailbox: Mailbox) -> None:
    mailbox.fail("down")
    with pytest.raises(TemporarilyUnavailable, match="ConnectionRefusedError"):
        mailer(mailbox, attempts=2).send(LETTER)
    mailbox.heal()
    mailer(mailbox).send(LETTER)
    assert len(mailbox.listed()) == 1


@pytest.mark.parametrize("kind", ["hang_at_greeting", "hang"])
def test_a_server_that_hangs_before_the_email_costs_no_more_than_the_time_limit(mailbox: Mailbox, kind: str) -> None:
    mailbox.fail(kind, seconds=30)
    with pytest.raises(TemporarilyUnavailable) as failed:
        mailer(mailbox, attempts=1, timeout=0.3).send(LETTER)
    assert not isinstance(failed.value, OutcomeUnknown)


@pytest.mark.parametrize(
    ("kind", "delivered"), [("drop_after_data", 1), ("hang_after_data", 1), ("drop_before_storing", 0)]
)
def test_a_lost_answer_is_an_unknown_outcome_and_is_not_tried_again_here(
    mailbox: Mailbox, kind: str, delivered: int
) -> None:
    mailbox.fail(kind, times=1, seconds=30)
    with pytest.raises(OutcomeUnknown):
        mailer(mailbox, answer_timeout=0.5).send(LETTER)
    assert eventually(lambda: len(mailbox.listed()) == delivered)


def test_an_email_put_off_after_it_was_handed_over_is_not_tried_again_here(mailbox: Mailbox) -> None:
    mailbox.fail("deferred", times=1)
    with pytest.raises(TemporarilyUnavailable, match=r"4\.3\.0"):
        mailer(mailbox).send(LETTER)
    assert mailbox.listed() == []


def test_a_slow_answer_is_waited_for(mailbox: Mailbox) -> None:
    """By whoever does not wait as long for any other answer; where those take longer all the same, it is tried again."""
    mailbox.fail("slow", seconds=0.6, times=1)
    mailer(mailbox, timeout=0.5, answer_timeout=60, attempts=20).send(LETTER)
    assert len(mailbox.listed()) == 1


def test_an_address_refused_for_good_is_refused_once_with_the_servers_code(mailbox: Mailbox) -> None:
    mailbox.fail("address_refused", recipient="anna@*", times=1)
    with pytest.raises(AddressRefused) as refused:
        mailer(mailbox).send(LETTER)
    assert refused.value.code == "5.1.1"
    assert mailbox.listed() == []


def test_a_refused_address_does_not_stop_the_next_customer(mailbox: Mailbox) -> None:
    mailbox.fail("address_refused", recipient="anna@*")
    mailer(mailbox).send(replace(LETTER, to="berta@customer.example"))
    assert [email["To"][0]["Address"] for email in mailbox.listed()] == ["berta@customer.example"]


def test_an_email_refused_for_its_content_is_no_refusal_of_the_address(mailbox: Mailbox) -> None:
    mailbox.fail("content_refused", times=1)
    with pytest.raises(Refused) as refused:
        mailer(mailbox).send(LETTER)
    assert (type(refused.value), refused.value.code) == (Refused, "5.7.1")


def test_a_refused_sender_needs_a_person(mailbox: Mailbox) -> None:
    mailbox.fail("sender_refused", times=1)
    with pytest.raises(Misconfigured, match=r"5\.7\.1"):
        mailer(mailbox).send(LETTER)


def test_an_email_whose_size_is_too_much_is_refused_for_good(mailbox: Mailbox) -> None:
    """The size goes with the sender's command."""
    mailbox.fail("sender_refused", code=552, times=1)
    with pytest.raises(Refused) as refused:
        mailer(mailbox).send(LETTER)
    assert type(refused.value) is Refused


@pytest.mark.parametrize(
    ("code", "error"), [(530, Misconfigured), (552, TemporarilyUnavailable), (553, AddressRefused)]
)
def test_other_codes_for_the_recipient(mailbox: Mailbox, code: int, error: type[Exception]) -> None:
    mailbox.fail("mailbox_full", code=code)
    with pytest.raises(error):
        mailer(mailbox, attempts=1).send(LETTER)


@pytest.mark.parametrize("kind", ["relay_denied", "login_wanted"])
def test_a_server_that_does_not_send_for_us_refuses_us_and_not_the_recipient(mailbox: Mailbox, kind: str) -> None:
    mailbox.fail(kind)
    with pytest.raises(Misconfigured, match=r"5\.7\."):
        mailer(mailbox).send(LETTER)


@pytest.mark.parametrize("kind", ["quota_spent", "quota_spent_later"])
def test_a_quota_that_is_spent_comes_back(mailbox: Mailbox, kind: str) -> None:
    mailbox.fail(kind)
    with pytest.raises(TemporarilyUnavailable, match=r"5\.4\.5"):
        mailer(mailbox, attempts=1).send(LETTER)
    mailbox.heal()
    mailer(mailbox).send(LETTER)
    assert len(mailbox.listed()) == 1


@pytest.mark.parametrize("secret", [{"password": "geheim-\u00fc"}, {"username": "\u00fcser", "password": "geheim"}])
def test_a_login_outside_ascii_is_refused_at_once_and_not_repeated(secret: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="outside ASCII") as refused:
        Server(host="mail.example", port=587, **secret)  # type: ignore[arg-type]
    assert not any(text in repr(refused.value) for text in secret.values())


class XoauthOnly(socketserver.StreamRequestHandler):
    """A mail server that knows tokens and no passwords."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            self.wfile.write(b"250-here\r\n250 AUTH XOAUTH2\r\n" if line.startswith(b"ehlo") else b"250 ok\r\n")


def test_a_server_that_takes_no_password_needs_a_person() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), XoauthOnly) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        ours = SmtpMailer(Server(host=str(host), port=port, tls="none", username="b", password="c"), OURS)
        with pytest.raises(Misconfigured, match="no login by user name and password"):
            ours.send(LETTER)
        server.shutdown()


class Answers(socketserver.StreamRequestHandler):
    """A mail server without pipelining or SMTPUTF8 that gives the answers it was told to."""

    answers: ClassVar[dict[str, str]] = {}
    """the first word of a command, or "." for the email's end -> its answer; any other is accepted"""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        within = False
        while line := self.rfile.readline().decode():
            if within and line != ".\r\n":
                continue
            word = line.partition(" ")[0].strip().lower()
            answer = self.answers.get(word, "354 go on" if word == "data" else "250 2.0.0 ok")
            within = answer.startswith("354")
            self.wfile.write(f"{answer}\r\n".encode())


@contextmanager
def answering(**answers: str) -> Iterator[Server]:
    """data_end: to the email's end."""
    given = {"." if word == "data_end" else word: answer for word, answer in answers.items()}
    handler = type("Handler", (Answers,), {"answers": given})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        yield Server(host=str(host), port=port, tls="none")
        server.shutdown()


@pytest.mark.parametrize("code", [200, 250, 251, 299])
def test_any_answer_of_success_accepts_an_email(code: int) -> None:
    with answering(mail=f"{code} ok", rcpt=f"{code} ok", data_end=f"{code} queued") as server:
        SmtpMailer(server, OURS, attempts=1).send(LETTER)


def test_an_answer_that_is_neither_success_nor_failure_leaves_the_outcome_unknown() -> None:
    with answering(data_end="354 go on") as server, pytest.raises(OutcomeUnknown, match="makes no sense"):
        SmtpMailer(server, OURS, attempts=1).send(LETTER)


BLAME_US = [
    "554 Message rejected: Email address is not verified. The following identities failed the check: billing@prorata.example",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "554 5.2.252 SendAsDenied; billing@prorata.example not allowed to send as x@prorata.example",
    "550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.",
    "550 5.1.7 Invalid address",
    "553 5.1.8 <billing@prorata.example>: Sender address rejected: Domain not found",
    "550 Sender verify failed",
]


@pytest.mark.parametrize("where", ["rcpt", "data", "data_end"])
@pytest.mark.parametrize("answer", BLAME_US)
def test_a_refusal_that_is_about_our_sender_needs_a_person_wherever_it_comes(where: str, answer: str) -> None:
    with answering(**{where: answer}) as server, pytest.raises(Misconfigured, match="our sender"):
        SmtpMailer(server, OURS).send(LETTER)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("550 5.1.1 <sender@customer.example>: unknown user, tell the sender", "5.1.1"),
        ("550 <sender@customer.example>: no such user", "550"),
        ("550 not-verified@customer.example: no such user", "550"),
        ("554 5.6.0 Message contains invalid header", "5.6.0"),
        ("550 Message looks like spam", "550"),
        ("550 No such user, return to sender", "550"),
        ("550 Mailbox closed, returned to the sender", "550"),
    ],
)
@pytest.mark.parametrize("where", ["rcpt", "data_end"])
def test_a_refusal_that_only_sounds_so_is_about_the_recipient(where: str, answer: str, code: str) -> None:
    with answering(**{where: answer}) as server, pytest.raises(Refused) as refused:
        SmtpMailer(server, OURS).send(LETTER)
    assert refused.value.code == code


@pytest.mark.parametrize("answer", ["552 5.2.2 mailbox full", "552 5.2.3 too long for it", "552 5.3.4 too big"])
def test_what_one_recipient_will_never_take_is_refused_though_its_code_may_mean_later(answer: str) -> None:
    with answering(rcpt=answer) as server, pytest.raises(AddressRefused) as refused:
        SmtpMailer(server, OURS).send(LETTER)
    assert refused.value.code == answer.split()[1]


@pytest.mark.parametrize(
    "ours",
    [
        Sender.read("b\u00fcro@prorata.example", "Prorata"),
        Sender.read("billing@prorata.example", "Prorata", reply_to="b\u00fcro@prorata.example"),
    ],
)
@pytest.mark.parametrize("to", ["anna@customer.example", "\u00e4nna@customer.example"])
def test_our_own_address_that_the_server_cannot_write_needs_a_person(ours: Sender, to: str) -> None:
    with answering() as server, pytest.raises(Misconfigured, match="PRORATA_MAIL_FROM and PRORATA_MAIL_REPLY_TO"):
        SmtpMailer(server, ours).send(replace(LETTER, to=to))


def test_a_recipient_that_the_server_cannot_write_is_refused() -> None:
    with answering() as server, pytest.raises(AddressRefused) as refused:
        SmtpMailer(server, OURS).send(replace(LETTER, to="\u00e4nna@customer.example"))
    assert refused.value.code == "5.6.7"


def test_nobody_listening_is_temporarily_unavailable(unused_tcp_port: int) -> None:
    alone = SmtpMailer(Server(host="127.0.0.1", port=unused_tcp_port, tls="none"), OURS, attempts=1)
    with pytest.raises(TemporarilyUnavailable):
        alone.send(LETTER)


@pytest.mark.parametrize("kind", ["address_refused", "content_refused", "greylisted", "drop_after_data", "drop"])
def test_addresses_and_words_of_the_letter_stay_out_of_logs_and_errors(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox.fail(kind)
    with pytest.raises((Refused, TemporarilyUnavailable)) as failed:
        mailer(mailbox, attempts=2).send(LETTER)
    told = "".join(traceback.format_exception(failed.value)) + caplog.text + repr(LETTER)
    assert "anna" not in told
    assert "SECRET" not in told


@pytest.mark.parametrize("wanted", [{"tls": "starttls"}, {"username": "b", "password": "c"}])
def test_a_server_that_asks_us_to_wait_before_it_says_what_it_offers_needs_nobody(wanted: dict[str, str]) -> None:
    """It would accept HELO, and offer nothing then."""
    with (
        answering(ehlo="451 4.7.0 try later") as server,
        pytest.raises(NotHandedOver, match="opening the dialogue: 451"),
    ):
        SmtpMailer(replace(server, **wanted), OURS, attempts=1).send(LETTER)  # type: ignore[arg-type]


def test_a_server_that_knows_no_extensions_takes_letters() -> None:
    with answering(ehlo="502 unknown") as server:
        SmtpMailer(server, OURS, attempts=1).send(LETTER)


def test_a_challenge_that_makes_no_sense_is_temporary_and_ends_the_connection() -> None:
    closed: queue.Queue[bytes] = queue.Queue()

    class Challenges(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            self.rfile.readline()
            self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            self.rfile.readline()
            self.wfile.write(b"334 garbage!!\r\n")
            closed.put(self.rfile.read())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Challenges) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        ours = SmtpMailer(Server(host=str(host), port=port, tls="none", username="b", password="c"), OURS, attempts=1)
        with pytest.raises(NotHandedOver, match="opening the dialogue: its challenge makes no sense") as failed:
            ours.send(LETTER)
        assert closed.get(timeout=20) == b""
        assert failed.value.__suppress_context__
        server.shutdown()


class RefusesAmidTheBody(socketserver.StreamRequestHandler):
    """A mail server that says that an email is too large while that is still being sent, and hangs up."""

    answer: ClassVar[str] = ""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline().decode():
            if line.lower().startswith("data"):
                self.wfile.write(b"354 go on\r\n")
                self.rfile.read(1000)
                self.wfile.write(f"{self.answer}\r\n".encode())
                return
            self.wfile.write(b"250 2.0.0 ok\r\n")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("552 5.3.4 message too big", Refused),
        ("552 message too big", Refused),
        ("451 4.3.1 disk full", TemporarilyUnavailable),
        ("250 2.0.0 already enough", NotHandedOver),
    ],
)
def test_an_answer_amid_the_email_counts_though_the_server_hangs_up(answer: str, error: type[Exception]) -> None:
    handler = type("Handler", (RefusesAmidTheBody,), {"answer": answer})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        ours = SmtpMailer(Server(host=str(host), port=port, tls="none"), OURS, attempts=1)
        with pytest.raises(error) as failed:
            ours.send(replace(LETTER, text="0123456789\n" * 800_000))
        assert type(failed.value) is error
        server.shutdown()


class Drips(socketserver.StreamRequestHandler):
    """A mail server that gives one answer in pieces, of which none is the last."""

    pieces: ClassVar[tuple[str, float]] = ("", 0.0)
    """each piece, and the seconds between two"""
    to: ClassVar[str] = ""
    """the first word of the command that gets this answer, "." for the email's end"""

    def handle(self) -> None:
        piece, pause = self.pieces
        self.wfile.write(b"220 here\r\n")
        within = False
        with suppress(OSError):
            while line := self.rfile.readline().decode():
                word = line.partition(" ")[0].strip().lower()
                if within and word != ".":
                    continue
                if word == self.to:
                    while not self.server.over.wait(pause):  # type: ignore[attr-defined]
                        self.wfile.write(piece.encode())
                    return
                within = word == "data"
                self.wfile.write(b"354 go on\r\n" if within else b"250 2.0.0 ok\r\n")


@contextmanager
def dripping(
    piece: str, *, every: float, to: str, timeout: float = 60.0, answer_timeout: float = 60.0
) -> Iterator[Server]:
    handler = type("Handler", (Drips,), {"pieces": (piece, every), "to": to})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.over = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        host, port = server.server_address[:2]
        try:
            yield Server(host=str(host), port=port, tls="none", timeout=timeout, answer_timeout=answer_timeout)
        finally:
            server.over.set()  # type: ignore[attr-defined]
            server.shutdown()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("to", ["ehlo", "rcpt"])
@pytest.mark.parametrize("piece", ["2", "250-wait\r\n"])
def test_an_answer_that_comes_in_pieces_has_as_long_as_any_other(piece: str, to: str) -> None:
    with (
        dripping(piece, every=0.05, to=to, timeout=0.5) as server,
        pytest.raises(NotHandedOver, match="SMTPServerDisconnected"),
    ):
        SmtpMailer(server, OURS, attempts=1).send(LETTER)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["2", "250-wait\r\n"])
def test_an_answer_to_the_email_that_comes_in_pieces_for_ever_is_an_unknown_outcome(piece: str) -> None:
    with (
        dripping(piece, every=0.05, to=".", answer_timeout=0.5) as server,
        pytest.raises(OutcomeUnknown, match="SMTPServerDisconnected"),
    ):
        SmtpMailer(server, OURS).send(LETTER)


@pytest.mark.timeout(60)
def test_an_answer_without_end_is_read_no_further() -> None:
    with dripping("250-wait\r\n" * 1000, every=0, to="rcpt", timeout=3600) as server, pytest.raises(NotHandedOver):
        SmtpMailer(server, OURS, attempts=1).send(LETTER)
