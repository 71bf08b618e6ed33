"""The SMTP side: takes emails in, keeps them, and only then says 250."""

import asyncio
import re
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from api_stub.stand_ins.fault_book import FaultBook
from api_stub.stand_ins.mailbox.faults import BY_STAGE, KINDS, Effect, Stage
from api_stub.stand_ins.mailbox.store import Store
from api_stub.stand_ins.serving import open_port, reset_transport

HOSTNAME = "mailbox.localhost"
_END = b"\r\n.\r\n"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_ADDRESS = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)>((?: .*)?)")
"""an address with a dot-atom on both sides (RFC 5321, 4.1.2), and what follows it"""
_SENDER_OK, _RECIPIENT_OK = "250 2.1.0 Ok", "250 2.1.5 Ok"
_AT_ONCE = 1 << 30
"""bytes per read: all that has come"""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How the server wants to be talked to."""

    starttls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    """user name and password; None asks for none"""
    smtputf8: bool = True


class MailSession(SMTP):
    """One connection; faults at the greeting happen here, where the library offers no hook."""

    has_taken_one = False
    """whether an email was sent on it: a client that sends another has kept the connection"""

    def __init__(self, inbox: "Inbox", loop: asyncio.AbstractEventLoop, dialogue: Dialogue) -> None:
        super().__init__(
            inbox,
            loop=loop,
            hostname=HOSTNAME,
            ident="Prorata mailbox",
            enable_SMTPUTF8=dialogue.smtputf8,
            tls_context=dialogue.starttls,
            require_starttls=dialogue.starttls is not None,
            auth_required=dialogue.login is not None,
            auth_require_tls=False,
            authenticator=inbox.authenticator(dialogue.login),
        )
        self._inbox = inbox
        self.began_after = inbox.restarts
        self._held: list[str] = []

    async def _handle_client(self) -> None:
        answer = await self._inbox.go_wrong(Stage.GREETING, self)
        if answer is None:
            await super()._handle_client()
        elif self.transport is not None:
            await self.push(answer)
            self.transport.close()

    async def push(self, status: str | bytes) -> None:
        """Answers to commands that came together leave together (RFC 2920, 3.2); the library would send each by itself."""
        reply = status if isinstance(status, str) else status.decode()
        if reply in (_SENDER_OK, _RECIPIENT_OK):
            if not self._held:
                self.loop.call_soon(self._let_go)  # at the latest: the next command may be a turn of the loop away
            self._held.append(reply)
        else:
            held, self._held = self._held, []
            await super().push("\r\n".join([*held, reply]))

    def _let_go(self) -> None:
        if self._held:
            self._writer.write("".join(f"{reply}\r\n" for reply in self._held).encode())
            self._held = []

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The library parses addresses like headers, which is slow: it gets only what is not plainly an address."""
        plain = _PLAIN_ADDRESS.fullmatch(arg or "")
        return (plain[1], plain[2]) if plain else super()._getaddr(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 the library's name for it
        """Replaces the library's, which reads line by line: a letter with its invoice has hundreds of lines."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
        elif arg:
            await self.push("501 Syntax: DATA")
        else:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self.push(await self._taken_in(await self._content(), self.envelope))
            self._set_post_data_state()  # type: ignore[no-untyped-call]

    async def _content(self) -> bytes | None:
        """Everything up to the line with only a dot; None where it is larger than the limit."""
        came = bytearray(b"\r\n")
        looked_at = 0
        fits = True
        most = self.data_size_limit or sys.maxsize
        while (end := came.find(_END, looked_at)) < 0:
            looked_at = max(len(came) - len(_END) + 1, 0)
            if len(came) > most:
                fits, looked_at = False, 0
                del came[: -len(_END)]
            came += await self._reader.read(_AT_ONCE)  # the library ends this where the connection is lost
        if after := bytes(came[end + len(_END) :]):
            self._reader.feed_data(after)  # the next command, sent without waiting: nothing else has come meanwhile
        return bytes(came[2 : end + 2]) if fits and end <= most else None

    async def _taken_in(self, content: bytes | None, envelope: Envelope) -> str:
        if content is None or self.session is None:
            return "552 Error: Too much mail data"
        if not _keeps_lines_short(content, self.line_length_limit):
            return "500 Line too long (see RFC5321 4.5.3.1.6)"
        whole = (b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:] if b"." in content else content
        envelope.content = envelope.original_content = whole
        return await self._inbox.handle_DATA(self, self.session, envelope)


def _keeps_lines_short(content: bytes, most: int) -> bool:
    """Jumps each time to the last line end within a line's longest reach: looking at every line takes several times as long."""
    looked_at = 0
    while len(content) - looked_at > most:
        end = content.rfind(b"\r\n", looked_at, looked_at + most)
        if end < 0:
            return False
        looked_at = end + 2
    return True


class Inbox:
    """The library's hooks: each returns the line to answer with."""

    def __init__(self, store: Store, faults: FaultBook) -> None:
        self._store, self._faults = store, faults
        self.restarts = 0

    def authenticator(self, login: tuple[str, str] | None) -> Callable[..., AuthResult]:
        def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
            if self._faults.strike({}, BY_STAGE[Stage.LOGIN]):
                kind = KINDS["login_unavailable"]
                return AuthResult(success=False, handled=False, message=f"{kind.code} {kind.text}")
            right = isinstance(given, LoginPassword) and login == (given.login.decode(), given.password.decode())
            return AuthResult(success=right, handled=False, auth_data=given if right else None)

        return check

    async def handle_EHLO(  # noqa: N802 the library's name for it
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_MAIL(  # noqa: N802 the library's name for it
        self, server: MailSession, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if server.has_taken_one and server.began_after != self.restarts:
            return "421 4.3.2 Restarted, come again"
        answer = await self.go_wrong(Stage.SENDER, server, sender=address)
        if answer is None:
            envelope.mail_from, envelope.mail_options = address, options
        return answer or _SENDER_OK

    async def handle_RCPT(  # noqa: N802 the library's name for it
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = await self.go_wrong(Stage.RECIPIENT, server, sender=envelope.mail_from or "", recipient=address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or _RECIPIENT_OK

    async def handle_DATA(  # noqa: N802 the library's name for it
        self, server: MailSession, session: Session, envelope: Envelope
    ) -> str:
        server.has_taken_one = True
        recipients = list(envelope.rcpt_tos)
        facts = {"sender": envelope.mail_from or "", "recipient": recipients[0]}
        answer = await self.go_wrong(Stage.BEFORE_STORING, server, **facts)
        if answer is not None:
            return answer
        login = session.auth_data
        email_id = self._store.add(
            envelope.original_content or b"",
            sender=facts["sender"],
            recipients=recipients,
            username=login.login.decode() if isinstance(login, LoginPassword) else "",
        )
        return await self.go_wrong(Stage.AFTER_STORING, server, **facts) or f"250 2.0.0 Ok: kept as {email_id}"

    async def go_wrong(self, stage: Stage, server: SMTP, **facts: str) -> str | None:
        """Do what a fault of this stage asks for; returns the line to answer with, None to go on as usual."""
        fault = self._faults.strike(facts, BY_STAGE[stage])
        if fault is None:
            return None
        kind = KINDS[fault.kind]
        if kind.effect is Effect.REFUSE:
            return f"{fault.code or kind.code} {kind.text}"
        if kind.effect in {Effect.HANG, Effect.WAIT}:
            await asyncio.sleep(fault.seconds)
        if kind.effect in {Effect.HANG, Effect.DROP} and server.transport is not None:
            reset_transport(server.transport)
            return "421 4.4.2 Connection dropped"
        return None


class Listener:
    """The open SMTP port; closed for as long as the fault `down` is on."""

    def __init__(self, listening: socket.socket, inbox: Inbox, dialogue: Dialogue) -> None:
        self._address: tuple[str, int] = listening.getsockname()[:2]
        self._socket: socket.socket | None = listening
        self._inbox, self._dialogue = inbox, dialogue
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        listening = self._socket or open_port(*self._address)
        self._socket = None
        self._server = await loop.create_server(
            lambda: MailSession(self._inbox, loop, self._dialogue), sock=listening, ssl=self._dialogue.implicit_tls
        )

    def end_kept(self) -> None:
        """End kept connections, as a restarted server does: their clients must connect anew."""
        self._inbox.restarts += 1

    async def close(self) -> None:
        self.end_kept()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._server is not None:
            self._server.close()
            self._server = None
