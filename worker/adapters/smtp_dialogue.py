"""One email over SMTP, step by step, so that each failure says what is certain.

Until the last line of the email is sent, nothing is delivered; from then until the server answers, the outcome is unknown.
A server's texts may repeat the address or the subject, so only its codes are passed on.
"""

import binascii
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Literal, NoReturn

from tasks.errors import AddressRefused, Misconfigured, OutcomeUnknown, Refused, TemporarilyUnavailable
from worker.adapters.smtp_answers import Dialogue, DialogueOverTls
from worker.adapters.smtp_connections import Connections, Open
from worker.server_urls import is_this_machine

Tls = Literal["none", "starttls", "tls"]

ANSWER_TIMEOUT = 600.0
"""Seconds to wait for the answer to the email itself. Whoever waits less sends again what has arrived (RFC 5321, 4.5.3.2.6)."""

OUR_FAULT = frozenset({500, 501, 502, 503, 504, 530, 534, 535, 538})
"""Syntax, order and login: the same for every recipient, so a person must look."""

NOT_FOR_US = b"5.7."
"""How a server's answer to a recipient begins where it will not send for us (relaying denied, login required), whoever that is."""

QUOTA_SPENT = b"5.4.5"
"""We have sent as much as we may today. Some servers say so with a permanent (5xx) code."""

THEIR_LIMIT = (b"5.2.", b"5.3.4")
"""The recipient's mailbox, or its server, has no room for the email."""

ABOUT_OUR_SENDER = frozenset({"5.1.7", "5.1.8", "5.7.60", "5.2.252"})
"""Our sender address is malformed, does not exist, or may not be used by us (RFC 3463; Exchange). Some servers say so only once they have the email."""

_NAMES_OUR_SENDER = re.compile(rb"(?<!\bto )(?<!\bto the )\bsender\b|\bfrom address\b|\bnot verified\b", re.IGNORECASE)
"""The same in words, where an answer has no enhanced code. What goes back "to the sender" goes because of the recipient."""
_ADDRESS = re.compile(rb"[^\s<>:;,]+@[^\s<>:;,]+")
NO_COMMON_TLS = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "HANDSHAKE_FAILURE",
    "CERTIFICATE_REQUIRED",
    "DH_KEY_TOO_SMALL",
)
"""How OpenSSL's reasons end where the server knows only older TLS or other ciphers than we do, or wants a certificate of us."""

_ENHANCED_CODE = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}")


class NotHandedOver(TemporarilyUnavailable):
    """It failed before the email was handed over whole: trying again cannot deliver it twice."""


_trusted_by_the_machine = cache(ssl.create_default_context)
"""its certificate authorities, read once a process"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Raises Misconfigured where a password would leave this machine unencrypted, or a user name or password is not ASCII."""

    host: str
    port: int
    tls: Tls = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    """seconds to wait for each answer, the whole of it"""
    answer_timeout: float = ANSWER_TIMEOUT
    trust: ssl.SSLContext = field(default_factory=_trusted_by_the_machine)

    def __post_init__(self) -> None:
        if self.tls == "none" and self.username is not None and not is_this_machine(self.host):
            raise Misconfigured("a mail password must not travel unencrypted: set starttls or tls")
        # The library would fail with an error that repeats the password.
        if not f"{self.username or ''}{self.password or ''}".isascii():
            raise Misconfigured("a mail user name or password outside ASCII cannot be sent: ask for another")


@dataclass(frozen=True, slots=True)
class Envelope:
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    international: bool
    """sender, Reply-To or recipient need SMTPUTF8"""
    content: bytes = field(repr=False)
    ours_is_international: bool = False
    """sender or Reply-To do"""


def deliver(server: Server, connections: Connections, envelope: Envelope) -> None:
    """Raises NotHandedOver, TemporarilyUnavailable, OutcomeUnknown, Refused (AddressRefused) or Misconfigured."""
    opened = _with_sender(server, connections, envelope)
    try:
        _recipient(opened.connection, envelope)
        _hand_over(opened.connection, envelope.content, server.answer_timeout)
    except BaseException:
        opened.connection.close()
        raise
    connections.keep(opened)


def _with_sender(server: Server, connections: Connections, envelope: Envelope) -> Open:
    """A connection whose server has accepted our sender: the kept one, or a new one where that does not work any more.

    Nothing has been handed over yet, so whatever goes wrong on a kept connection here, a new one decides.
    """
    kept = connections.take()
    if kept is not None:
        if _takes_another(kept.connection, server, envelope):
            return kept
        kept.connection.close()
    connection = _connect(server, own_name=envelope.sender.rpartition("@")[2])
    try:
        code, text = _sender(connection, envelope)
        if code == 552:  # the answer to MAIL FROM, which announces the size
            raise Refused("the mail server does not accept an email of this size", code=_code(code, text))
        if not _is_success(code):
            _not_accepted(code, text, Misconfigured(f"the mail server refuses our sender address: {_code(code, text)}"))
    except OSError as error:
        connection.close()
        _failed_before_handing_over(error, "addressing")
    except BaseException:
        connection.close()
        raise
    return Open(connection)


def _takes_another(connection: smtplib.SMTP, server: Server, envelope: Envelope) -> bool:
    try:
        if connection.sock is not None:
            connection.sock.settimeout(server.timeout)
        return _is_success(_sender(connection, envelope)[0])
    except (OSError, AddressRefused, Misconfigured):
        return False


def _connect(server: Server, *, own_name: str) -> smtplib.SMTP:
    try:
        if server.tls == "tls":
            connection: Dialogue = DialogueOverTls(
                server.host, server.port, own_name, timeout=server.timeout, context=server.trust
            )
        else:
            connection = Dialogue(server.host, server.port, own_name, timeout=server.timeout)
        if connection.sock is not None:  # the email's last line is sent by itself and must not wait for an ACK
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except socket.gaierror as error:
        raise NotHandedOver(
            f"the mail server is not available while connecting: no address is found of {server.host} (PRORATA_SMTP_HOST): {error.strerror}"
        ) from None
    except OSError as error:
        _failed_before_handing_over(error, "connecting")
    try:
        _introduce_us(connection)
        if server.tls == "starttls":
            connection.starttls(context=server.trust)
            _introduce_us(connection)
        if server.username is not None:
            connection.login(server.username, server.password or "")
    except OSError as error:
        connection.close()
        _failed_before_handing_over(error, _OPENING)
    except binascii.Error:
        connection.close()
        raise NotHandedOver(
            f"the mail server is not available while {_OPENING}: its challenge makes no sense"
        ) from None
    return connection


_OPENING = "opening the dialogue"


def _introduce_us(connection: smtplib.SMTP) -> None:
    """As the library would, but without HELO to a server that asks us to wait: after it the server would seem to offer neither TLS nor a login."""
    code, text = connection.ehlo()
    if not _is_success(code) and not 400 <= code < 500:
        code, text = connection.helo()
    if not _is_success(code):
        raise smtplib.SMTPHeloError(code, text)


def _failed_before_handing_over(error: OSError, doing: str) -> NoReturn:
    """Certificates, passwords and missing abilities need a person; the network and 4xx codes need time."""
    if isinstance(error, smtplib.SMTPNotSupportedError):
        raise Misconfigured("the mail server does not offer what the settings ask for (STARTTLS, login)") from None
    if type(error) is smtplib.SMTPException:  # `login` raises it where the server offers no method it knows
        raise Misconfigured("the mail server offers no login by user name and password") from None
    if isinstance(error, smtplib.SMTPResponseException) and 500 <= error.smtp_code < 600:
        raise Misconfigured(f"the mail server refuses us while {doing}: {error.smtp_code}") from None
    if isinstance(error, ssl.SSLCertVerificationError):
        raise Misconfigured(f"the mail server's certificate is not trusted: {error.verify_message}") from None
    tls = _of_tls(error)
    if tls == "WRONG_VERSION_NUMBER":
        raise Misconfigured("the mail server does not speak TLS on this port; is it starttls?") from None
    if tls.endswith(NO_COMMON_TLS):
        raise Misconfigured(f"with the mail server no TLS can be agreed on while {doing}: {tls}") from None
    code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else tls or type(error).__name__
    raise NotHandedOver(f"the mail server is not available while {doing}: {code}") from None


def _of_tls(error: OSError) -> str:
    """OpenSSL's name for what went wrong, "" if that was not TLS. While waiting for an answer the library wraps its error in one of its own."""
    cause = error if isinstance(error, ssl.SSLError) else error.__context__
    return (cause.reason or "SSLError") if isinstance(cause, ssl.SSLError) else ""


def _sender(connection: smtplib.SMTP, envelope: Envelope) -> tuple[int, bytes]:
    options = [f"SIZE={len(envelope.content)}"] if connection.has_extn("size") else []
    connection.command_encoding = "ascii"
    if envelope.international:
        if not connection.has_extn("smtputf8"):
            if envelope.ours_is_international:
                raise Misconfigured(
                    "the mail server cannot send from addresses outside ASCII (no SMTPUTF8): PRORATA_MAIL_FROM and PRORATA_MAIL_REPLY_TO must be ASCII"
                )
            raise AddressRefused("the mail server cannot deliver to addresses outside ASCII", code="5.6.7")
        options += ["SMTPUTF8", "BODY=8BITMIME"]
        connection.command_encoding = "utf-8"
    if not _asks_ahead(connection):
        return connection.mail(envelope.sender, options)
    sender, recipient = _quoted(envelope.sender), _quoted(envelope.recipient)
    commands = (" ".join([f"MAIL FROM:{sender}", *options]), f"RCPT TO:{recipient}", "DATA")
    if any("\r" in command or "\n" in command for command in commands):
        raise ValueError("an address must not contain a line break")
    connection.send("".join(f"{command}\r\n" for command in commands))
    return connection.getreply()


_quoted = lru_cache(maxsize=1000)(smtplib.quoteaddr)


def _asks_ahead(connection: smtplib.SMTP) -> bool:
    """Whether the server allows pipelining (RFC 2920): MAIL, RCPT and DATA then go out together, and are answered in turn."""
    return connection.has_extn("pipelining")


def _recipient(connection: smtplib.SMTP, envelope: Envelope) -> None:
    try:
        code, text = connection.getreply() if _asks_ahead(connection) else connection.rcpt(envelope.recipient)
    except OSError as error:
        _failed_before_handing_over(error, "addressing")
    if _is_success(code):
        return
    if text.startswith(NOT_FOR_US):
        _not_accepted(code, text, Misconfigured(f"the mail server does not send for us: {code} {_code(code, text)}"))
    _not_accepted(code, text, AddressRefused(f"the mail server refuses the recipient: {code}", code=_code(code, text)))


def _hand_over(connection: smtplib.SMTP, content: bytes, answer_timeout: float) -> None:
    try:
        code, text = connection.getreply() if _asks_ahead(connection) else connection.docmd("DATA")
        if code != 354:
            _not_accepted(code, text, Refused("the mail server refuses the email", code=_code(code, text)))
        try:
            _send(connection, _dots_doubled(content))
        except ConnectionError:
            # A server that refuses the email amid it, as too large say, may hang up after its answer.
            _require_success(*connection.getreply())
            raise
    except OSError as error:
        _failed_before_handing_over(error, "sending")
    try:
        if connection.sock is not None:
            connection.sock.settimeout(answer_timeout)
        with suppress(ConnectionError):  # the same; if no answer waits, reading it raises
            _send(connection, b".\r\n")
        code, text = connection.getreply()
    except OSError as error:
        raise OutcomeUnknown(f"the mail server's answer to the email was lost: {type(error).__name__}") from None
    _require_success(code, text)


def _require_success(code: int, text: bytes) -> None:
    """Raises what `deliver` does, by the answer to the email."""
    if 400 <= code < 500 or text.startswith(QUOTA_SPENT):
        raise TemporarilyUnavailable(f"the mail server asks us to send the email later: {_code(code, text)}")
    if code in OUR_FAULT:
        raise Misconfigured(f"the mail server refuses the email, whoever it is for: {_code(code, text)}")
    _refuse_if_about_our_sender(code, text)
    if 500 <= code < 600:
        raise Refused("the mail server refuses the email", code=_code(code, text))
    if not _is_success(code):
        raise OutcomeUnknown("the mail server's answer to the email makes no sense")


def _send(connection: smtplib.SMTP, data: bytes) -> None:
    """As the library would, but without closing the connection where the server has: its answer may still wait."""
    if connection.sock is not None:
        connection.sock.sendall(data)


def _is_success(code: int) -> bool:
    """By its first digit alone (RFC 5321, 4.2.1 and 4.3.2), so that no answer which accepts an email counts as lost."""
    return 200 <= code < 300


def _dots_doubled(content: bytes) -> bytes:
    """Double every dot that begins a line: a line with only a dot would end the email (RFC 5321, 4.5.2)."""
    return (b"." if content.startswith(b".") else b"") + content.replace(b"\n.", b"\n..")


def _refuse_if_about_our_sender(code: int, text: bytes) -> None:
    if code < 500:
        return
    names_it = not _ENHANCED_CODE.match(text) and _NAMES_OUR_SENDER.search(_ADDRESS.sub(b"", text))
    if names_it or _code(code, text) in ABOUT_OUR_SENDER:
        raise Misconfigured(f"the mail server refuses our sender address, see PRORATA_MAIL_FROM: {_code(code, text)}")


def _not_accepted(code: int, text: bytes, for_good: Exception) -> NoReturn:
    _refuse_if_about_our_sender(code, text)
    if code in OUR_FAULT and not text.startswith(b"5.1."):  # 5.1.x is about the address, whatever the code before it
        raise Misconfigured(f"the mail server refuses our commands: {_code(code, text)}")
    too_many = code == 552 and not text.startswith(THEIR_LIMIT)  # RFC 5321 4.5.3.1.10: 552 may mean "too many"
    passes = too_many or text.startswith(QUOTA_SPENT)
    if 500 <= code < 600 and not passes:
        raise for_good
    raise NotHandedOver(f"the mail server asks us to try again later: {_code(code, text)}")


def _code(code: int, text: bytes) -> str:
    """The enhanced status code (RFC 3463) where there is one, it says more: `5.1.1` rather than `550`."""
    enhanced = _ENHANCED_CODE.match(text)
    return enhanced[0].decode() if enhanced else str(code)
