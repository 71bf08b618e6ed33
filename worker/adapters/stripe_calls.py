"""One call to Stripe: retried where that may help, its errors translated into the pipeline's.

Retried, for a few seconds: no connection, no answer (same key), 409 while the first request is under way, 429, 5xx;
`Stripe-Should-Retry` and `Retry-After` have the last word. A refused card is an answer and is never retried.

Stripe's messages are not passed on: they may quote what we sent. Its request id finds them in the Dashboard.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import stripe
import tenacity

from tasks.errors import OutcomeUnknown, TemporarilyUnavailable
from worker.adapters import stripe_reading as reading
from worker.adapters.stripe_errors import (
    Refusal,
    describe,
    is_replayed,
    may_be_retried,
    may_have_happened,
    retry_after_of,
    unanswered,
)

T = TypeVar("T")

_LONGEST_PAUSE = 2.0
"""seconds between two tries, beside what Stripe asks for"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StripeAnswer(Generic[T]):
    """What Stripe answered.

    replayed: this is the first request's answer, kept under the key; the object may have changed since.
    """

    value: T
    replayed: bool


class Calls:
    """How calls are tried again.

    patience: seconds after which no further try begins.
    """

    def __init__(self, *, patience: float) -> None:
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_be_retried),
            wait=_Pause(),
            stop=tenacity.stop_before_delay(patience),
            before_sleep=_say,
            reraise=True,
        )

    def ask(self, call: Callable[[], T], *, refused: Callable[[Refusal], T]) -> T:
        """A call that changes nothing: without an answer nothing is in doubt."""
        try:
            return self._retrying.copy()(call)
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return refused(error)
        except stripe.StripeError as error:
            raise unanswered(error, in_doubt=False) from None
        except reading.UNREADABLE as error:
            raise TemporarilyUnavailable(_unreadable(error)) from None

    def change(self, call: Callable[[], T], *, refused: Callable[[Refusal], T]) -> T:
        """A call under an idempotency key. Raises OutcomeUnknown once any try may have taken effect and none was answered."""
        in_doubt = failed_just_now = False

        def attempt() -> T:
            nonlocal in_doubt, failed_just_now
            try:
                return call()
            except stripe.StripeError as error:
                in_doubt = in_doubt or may_have_happened(error)
                failed_just_now = failed_just_now or (may_have_happened(error) and not is_replayed(error))
                raise

        try:
            return self._retrying.copy()(attempt)
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return refused(error)
        except stripe.StripeError as error:
            raise unanswered(error, in_doubt=in_doubt, failed_just_now=failed_just_now) from None
        except reading.UNREADABLE as error:
            raise OutcomeUnknown(_unreadable(error)) from None

    def as_of_now(self, answer: StripeAnswer[T], look: Callable[[], T]) -> T:
        """The value, read again from Stripe where it was replayed. Raises OutcomeUnknown where that fails: the change has happened."""
        if not answer.replayed:
            return answer.value
        try:
            return look()
        except TemporarilyUnavailable as error:
            raise OutcomeUnknown(str(error), retry_after=error.retry_after) from None


class _Pause(tenacity.wait.wait_base):
    """What Stripe asks for in Retry-After, plus a jittered pause that doubles."""

    def __init__(self) -> None:
        self._jittered = tenacity.wait_exponential_jitter(multiplier=0.1, max=_LONGEST_PAUSE, jitter=0.1)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        return (retry_after_of(error) or 0.0) + self._jittered(retry_state)


def _unreadable(error: Exception) -> str:
    """Without the error's text, which may repeat the answer."""
    return f"Stripe: an answer that cannot be read ({type(error).__name__})"


def _say(retry_state: tenacity.RetryCallState) -> None:
    error = retry_state.outcome.exception() if retry_state.outcome is not None else None
    if isinstance(error, stripe.StripeError):
        log.warning("%s; again in %.1f s", describe(error), retry_state.upcoming_sleep)
