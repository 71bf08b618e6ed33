"""Emails over SMTP: plain, STARTTLS or implicit TLS with the certificate checked, login where configured.

Covered: connections kept open briefly for the next email; short retries of failures that cannot deliver
twice; a lost answer told apart from a refusal. After a lost answer the email may have been delivered: sending it again gives
the customer two with the same Message-ID, which mail programs show as one.
Not covered: several recipients, bounces that come back later by email.
Addresses, subjects and bodies never reach a log or an error's text.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tasks.ports import Letter
from worker.adapters.mime import Sender, as_bytes, recipient
from worker.adapters.smtp_connections import IDLE_SECONDS, Connections
from worker.adapters.smtp_dialogue import ANSWER_TIMEOUT, Envelope, NotHandedOver, Server, deliver

ATTEMPTS = 3
"""tries in all of one email"""

log = logging.getLogger(__name__)


def longest_letter(timeout: float) -> float:
    """Seconds that one email may take, but for the pauses between its tries: twelve answers a try, then the one to the email."""
    return ATTEMPTS * 12 * timeout + ANSWER_TIMEOUT


class SmtpMailer:
    """A `tasks.ports.Mailer`. One instance serves many threads.

    idle_seconds: how long a connection waits for the next email.
    attempts: tries in all, as long as each fails before the email is handed over.
    """

    def __init__(
        self,
        server: Server,
        sender: Sender,
        *,
        attempts: int = ATTEMPTS,
        idle_seconds: float = IDLE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._server = server
        self._sender = sender
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
            ours_is_international=self._sender.international,
        )
        self._retrying(letter.message_id)(deliver, self._server, self._connections, envelope)

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
