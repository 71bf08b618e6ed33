"""VIES, the European Commission's VAT number register, over its REST service (`POST check-vat-number`).

Covered: the three answers (valid, invalid, unavailable), consultation numbers, time limits for connecting, for reading and
for the whole question, a few retries within that, and what VIES itself rejects.
Not covered: caching, national registers, comparing names and addresses, the batch interface. A server that sends its
headers byte by byte can stretch one try beyond the whole question's limit.
Names, addresses and numbers never reach a log.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from tasks.ports import VatAnswer, VatStatus
from worker.adapters.vies_answers import Unavailable, question_about, said, verdict

BASE_URL = "https://ec.europa.eu/taxation_customs/vies/rest-api"
MAX_ANSWER_BYTES = 64 * 1024
CONNECT_TIMEOUT = 3.0
"""seconds to wait for the connection"""
TOTAL_TIMEOUT = 10.0
"""seconds for one `check`, after which no further try begins"""

log = logging.getLogger(__name__)

_authorities = cache(httpx.create_ssl_context)
"""those that vouch for VIES, read once a process"""


@dataclass(frozen=True, slots=True)
class _Deadline:
    at: float

    def left(self) -> float:
        return self.at - time.monotonic()


class Vies:
    """A `tasks.ports.VatRegistry`. One instance serves many threads; make it after forking, `close` it at the end.

    timeout: seconds to wait for (each piece of) an answer; total_timeout: for one `check`, retries and the pauses between
    them included; attempts: tries within that.
    """

    def __init__(
        self,
        *,
        base_url: str,
        timeout: float = 5.0,
        total_timeout: float = TOTAL_TIMEOUT,
        attempts: int = 3,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/check-vat-number"
        self._at_home = base_url == BASE_URL
        self._timeout = timeout
        self._total_timeout = total_timeout
        self._attempts = attempts
        self._now = now
        self._http = httpx.Client(
            headers={"Accept": "application/json", "User-Agent": "prorata"},
            verify=_authorities(),
            mounts={"all://127.0.0.1": None, "all://localhost": None},  # a proxy cannot reach what runs beside us
        )

    def check(self, number: str, *, requester: str | None) -> VatAnswer:
        """See `tasks.ports.VatRegistry.check`."""
        question = question_about(number, requester)
        deadline = _Deadline(time.monotonic() + self._total_timeout)
        try:
            answer = self._retrying(question["countryCode"])(self._ask, question, deadline)
        except Unavailable as outage:
            log.warning("vies unavailable country=%s reason=%s", question["countryCode"], outage.reason)
            return VatAnswer(VatStatus.UNAVAILABLE, number, self._now(), reason=outage.reason)
        return VatAnswer(
            status=VatStatus.VALID if answer["valid"] else VatStatus.INVALID,
            number=number,
            asked_at=self._now(),
            consultation_number=said(answer, "requestIdentifier"),
            name=said(answer, "name"),
            address=said(answer, "address"),
        )

    def close(self) -> None:
        self._http.close()

    def _retrying(self, country: str) -> Retrying:
        def tell(state: RetryCallState) -> None:
            reason = state.outcome.exception() if state.outcome else None
            log.info("vies asked again country=%s reason=%s attempt=%d", country, reason, state.attempt_number)

        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, Unavailable) and error.passing),
            stop=stop_after_attempt(self._attempts) | stop_before_delay(self._total_timeout),
            wait=wait_random_exponential(multiplier=0.25, max=2.0),
            before_sleep=tell,
            reraise=True,
        )

    def _ask(self, question: dict[str, str], deadline: _Deadline) -> dict[str, Any]:
        try:
            status, body = self._post(question, deadline)
        except httpx.TimeoutException as error:
            raise Unavailable("timeout", passing=True) from error
        except httpx.RequestError as error:
            raise Unavailable("unreachable", passing=True) from error
        return verdict(status, body, question, at_home=self._at_home)

    def _post(self, question: dict[str, str], deadline: _Deadline) -> tuple[int, bytes]:
        """One try, cut off at the deadline even where the answer trickles in."""
        left = max(deadline.left(), 0.001)
        timeout = httpx.Timeout(min(self._timeout, left), connect=min(CONNECT_TIMEOUT, left))
        body = bytearray()
        with self._http.stream("POST", self._url, json=question, timeout=timeout) as response:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    break
                if deadline.left() <= 0:
                    raise httpx.ReadTimeout("the whole question's time is up")
            return response.status_code, bytes(body)
