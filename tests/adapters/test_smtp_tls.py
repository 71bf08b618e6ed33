"""TLS and login of the SMTP adapter, against a mail server with a certificate of its own."""

import socketserver
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.ports import Letter
from tests.support.mailbox import CERTIFICATES, TLS_FLAGS, TRUSTED, Mailbox, running_mailbox
from worker.adapters.mime import Sender
from worker.adapters.smtp import SmtpMailer
from worker.adapters.smtp_dialogue import Server

LETTER = Letter(
    "<order-7.confirmation@prorata.example>", "anna@customer.example", "Hello", "Hello", "<p>Hello</p>", "en"
)
LOGIN = ["--user", "prorata", "--password", "correct horse"]


@pytest.fixture(scope="module")
def starttls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_mailbox(tmp_path_factory.mktemp("starttls"), "--tls", "starttls", *TLS_FLAGS, *LOGIN) as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def implicit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with running_mailbox(tmp_path_factory.mktemp("implicit"), "--tls", "implicit", *TLS_FLAGS, *LOGIN) as mailbox:
        yield mailbox


def mailer(mailbox: Mailbox, **changes: Any) -> SmtpMailer:
    server = Server(
        host="localhost",
        port=mailbox.port,
        username="prorata",
        password="correct horse",
        timeout=60.0,
        trust=ssl.create_default_context(cafile=TRUSTED),
    )
    return SmtpMailer(replace(server, **changes), Sender.read("billing@prorata.example", "Prorata Billing"), attempts=1)


def test_an_email_goes_over_starttls_with_a_login(starttls: Mailbox) -> None:
    starttls.forget()
    mailer(starttls, tls="starttls").send(LETTER)
    assert [email["Username"] for email in starttls.listed()] == ["prorata"]


def test_an_email_goes_over_implicit_tls_with_a_login(implicit: Mailbox) -> None:
    implicit.forget()
    mailer(implicit, tls="tls").send(LETTER)
    assert [email["Username"] for email in implicit.listed()] == ["prorata"]


def test_an_unknown_certificate_is_not_trusted(starttls: Mailbox, implicit: Mailbox) -> None:
    starttls.forget()
    for mailbox, tls in ((starttls, "starttls"), (implicit, "tls")):
        with pytest.raises(Misconfigured, match="certificate is not trusted"):
            mailer(mailbox, tls=tls, trust=ssl.create_default_context()).send(LETTER)
    assert starttls.listed() == []


def test_a_certificate_for_another_name_is_not_trusted(starttls: Mailbox) -> None:
    with pytest.raises(Misconfigured, match="certificate is not trusted"):
        mailer(starttls, tls="starttls", host="127.1").send(LETTER)  # another name of 127.0.0.1


def test_a_wrong_password_needs_a_person(starttls: Mailbox) -> None:
    with pytest.raises(Misconfigured, match="535"):
        mailer(starttls, tls="starttls", password="wrong").send(LETTER)


def test_a_login_that_is_down_is_temporarily_unavailable(starttls: Mailbox) -> None:
    starttls.forget()
    starttls.fail("login_unavailable")
    with pytest.raises(TemporarilyUnavailable, match="454"):
        mailer(starttls, tls="starttls").send(LETTER)


def test_a_server_that_wants_tls_gets_no_email_in_the_clear(starttls: Mailbox) -> None:
    starttls.forget()
    with pytest.raises(Misconfigured):
        mailer(starttls, tls="none", username=None, password=None).send(LETTER)
    assert starttls.listed() == []


def test_tls_asked_of_a_port_without_it_needs_a_person(starttls: Mailbox) -> None:
    with pytest.raises(Misconfigured, match="does not speak TLS"):
        mailer(starttls, tls="tls").send(LETTER)


def test_starttls_asked_of_a_server_without_it_sends_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_mailbox(tmp_path_factory.mktemp("plain")) as plain:
        with pytest.raises(Misconfigured, match="does not offer"):
            mailer(plain, tls="starttls").send(LETTER)
        assert plain.listed() == []


def test_a_password_never_travels_in_the_clear_beyond_this_machine() -> None:
    with pytest.raises(Misconfigured, match="unencrypted"):
        Server(host="mail.prorata.example", port=25, tls="none", username="b")


@contextmanager
def handshaking(trust: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that gets no further than its handshake."""

    class Handshake(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError), trust.wrap_socket(self.request, server_side=True) as spoken:
                spoken.recv(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handshake) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def ours(*, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    context.maximum_version = newest
    return context


def only_older_tls() -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ours(newest=ssl.TLSVersion.TLSv1_1)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def other_ciphers() -> ssl.SSLContext:
    context = ours(newest=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    return context


def wants_a_certificate(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    context = ours(newest=newest)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(TRUSTED)
    return context


def wants_one_by_tls_1_3() -> ssl.SSLContext:
    return wants_a_certificate(ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("server", [only_older_tls, other_ciphers, wants_a_certificate, wants_one_by_tls_1_3])
def test_a_server_with_which_no_tls_can_be_agreed_on_needs_a_person(server: Callable[[], ssl.SSLContext]) -> None:
    with handshaking(server()) as port, pytest.raises(Misconfigured, match=r"no TLS can be agreed on.*: [A-Z_0-9]+$"):
        SmtpMailer(
            Server(
                host="localhost", port=port, tls="tls", timeout=60.0, trust=ssl.create_default_context(cafile=TRUSTED)
            ),
            Sender.read("billing@prorata.example", "Prorata Billing"),
            attempts=1,
        ).send(LETTER)


def test_a_private_authority_is_trusted_as_the_documentation_says(
    implicit: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    implicit.forget()
    monkeypatch.setenv("SSL_CERT_FILE", TRUSTED)
    mailer(implicit, tls="tls", trust=ssl.create_default_context()).send(LETTER)
    assert len(implicit.listed()) == 1
