"""Emails over SMTP: plain, STARTTLS or implicit TLS with the certificate checked, login where configured.

Covered: connections kept open briefly for the next email; short retries of failures that cannot deliver
twice; a lost answer told apart from a refusal. After a lost answer the email may have been delivered: sending it again gives
the customer two with the same Message-ID, which mail programs show as one.
Not covered: several recipients, bounces that come back later by email.
Addresses, subjects and bodies never reach a log or an error's text.
"""

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tasks.errors import Misconfigured
from tasks.ports import Letter
from worker.adapters.mime import MailAddress, Sender, as_bytes, recipient
from worker.adapters.smtp_connections import IDLE_SECONDS, Connections
from worker.adapters.smtp_dialogue import Envelope, NotHandedOver, Server, Tls, deliver
from worker.server_urls import is_this_machine

log = logging.getLogger(__name__)


class SmtpMailer:
    """A `tasks.ports.Mailer`. One instance serves many threads.

    sender: our address; sender_name: shown beside it; reply_to: where answers go, if not there.
    ca_file: PEM of certificate authorities to trust instead of the system's.
    timeout: seconds for each answer; answer_timeout: for the answer to the email itself;
    idle_seconds: how long a connection waits for the next email.
    attempts: tries in all, as long as each fails before the email is handed over.
    Raises Misconfigured where a password would leave this machine unencrypted, a user name or password is not ASCII, or an address is malformed.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        sender_name: str,
        reply_to: str | None = None,
        tls: Tls = "starttls",
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        timeout: float = 10.0,
        answer_timeout: float = 60.0,
        idle_seconds: float = IDLE_SECONDS,
        attempts: int = 3,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if tls == "none" and username is not None and not is_this_machine(host):
            raise Misconfigured("a mail password must not travel unencrypted: set starttls or tls")
        # The library would fail with an error that repeats the password.
        if not f"{username or ''}{password or ''}".isascii():
            raise Misconfigured("a mail user name or password outside ASCII cannot be sent: ask for another")
        self._sender = Sender(_ours(sender), sender_name, _ours(reply_to) if reply_to else None)
        self._server = Server(
            host=host,
            port=port,
            tls=tls,
            username=username,
            password=password,
            timeout=timeout,
            answer_timeout=answer_timeout,
            name=self._sender.address.address.rpartition("@")[2],
            trust=_trusting(ca_file),
        )
        self._connections = Connections(idle_seconds=idle_seconds)
        self._attempts = attempts
        self._now = now

    def send(self, letter: Letter) -> None:
        """See `tasks.ports.Mailer.send`. Also raises Refused: the server will not take this email, whoever it is for."""
        to = recipient(letter)
        envelope = Envelope(
            sender=self._sender.address.address,
            recipient=to.address,
            international=to.international or self._sender.international,
            content=as_bytes(letter, sender=self._sender, to=to, date=self._now()),
        )
        self._retrying(letter.message_id)(deliver, self._server, self._connections, envelope)
        log.info("email handed over message_id=%s", letter.message_id)

    def _retrying(self, message_id: str) -> Retrying:
        def tell(state: RetryCallState) -> None:
            reason = state.outcome.exception() if state.outcome else None
            log.info("email tried again message_id=%s attempt=%d: %s", message_id, state.attempt_number, reason)

        return Retrying(
            retry=retry_if_exception_type(NotHandedOver),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.25, max=2.0),
            before_sleep=tell,
            reraise=True,
        )


@cache
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Read once a process; None: the authorities that the machine trusts."""
    return ssl.create_default_context(cafile=ca_file)


def _ours(address: str) -> MailAddress:
    try:
        return MailAddress.read(address)
    except ValueError:
        raise Misconfigured(f"our own mail address is malformed: {address!r}") from None
