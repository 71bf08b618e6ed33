"""One call to Stripe: tried again where that may help, its errors in the pipeline's words.

Tried again, for a few seconds: no connection, no answer (same key), 409 while the first request is under way, 429, 5xx;
`Stripe-Should-Retry` and `Retry-After` have the last word. A refused card is an answer and never asked again.

Stripe's messages are not passed on: they may quote what we sent. Its request id finds them in the Dashboard.
"""

import logging
from collections.abc import Callable
from typing import NoReturn, TypeVar

import stripe
import tenacity
import urllib3.exceptions
from requests import exceptions as requests_errors

from tasks.errors import KeySpent, Misconfigured, OutcomeUnknown, TemporarilyUnavailable

T = TypeVar("T")
Refusal = stripe.CardError | stripe.InvalidRequestError
log = logging.getLogger(__name__)


class Calls:
    """How calls are tried again.

    patience: seconds after which no further try begins.
    """

    def __init__(self, *, patience: float, longest_pause: float = 2.0) -> None:
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_be_retried),
            wait=_Pause(longest_pause),
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
            raise _unanswered(error, in_doubt=False) from None

    def change(self, call: Callable[[], T], *, refused: Callable[[Refusal], T]) -> T:
        """A call under an idempotency key. Raises OutcomeUnknown once any try may have taken effect and none was answered."""
        in_doubt = False

        def attempt() -> T:
            nonlocal in_doubt
            try:
                return call()
            except stripe.StripeError as error:
                in_doubt = in_doubt or may_have_happened(error)
                raise

        try:
            return self._retrying.copy()(attempt)
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return refused(error)
        except stripe.StripeError as error:
            raise _unanswered(error, in_doubt=in_doubt) from None


def misconfigured(error: stripe.StripeError) -> Misconfigured:
    return Misconfigured(describe(error))


def unexpected(error: Refusal) -> NoReturn:
    """For calls that cannot be refused unless we are wrong."""
    raise misconfigured(error) from None


def describe(error: stripe.StripeError) -> str:
    """`InvalidRequestError parameter_unknown (metadata) 400 req_123`."""
    cause = type(error.__cause__).__name__ if error.__cause__ is not None else None
    parts = (error.code, getattr(error, "param", None), cause, error.http_status, error.request_id)
    return " ".join(["Stripe:", type(error).__name__, *(str(part) for part in parts if part)])


def may_be_retried(error: BaseException) -> bool:
    if not isinstance(error, stripe.StripeError) or is_kept(error):
        return False
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    asked = (error.headers or {}).get("stripe-should-retry")
    if asked in ("true", "false"):
        return asked == "true"
    return isinstance(error, stripe.RateLimitError) or error.http_status == 409 or (error.http_status or 0) >= 500


def may_have_happened(error: stripe.StripeError) -> bool:
    """Whether a request that ended so may have taken effect all the same."""
    if isinstance(error, stripe.APIConnectionError):
        return not _never_sent(error.__cause__)
    if isinstance(
        error, stripe.RateLimitError | stripe.AuthenticationError | stripe.PermissionError | stripe.IdempotencyError
    ):
        return False  # refused before the endpoint began
    return isinstance(error, stripe.APIError)  # 5xx, 409 while the first is under way, an answer nobody can read


def is_kept(error: stripe.StripeError) -> bool:
    """A 5xx that Stripe keeps under the key: asking again can only give it again."""
    headers = error.headers or {}
    replayed = headers.get("idempotent-replayed") == "true" or headers.get("stripe-should-retry") == "false"
    return replayed and (error.http_status or 0) >= 500


def _never_sent(cause: BaseException | None) -> bool:
    if isinstance(cause, requests_errors.ConnectTimeout):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _unanswered(error: stripe.StripeError, *, in_doubt: bool) -> Exception:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError | stripe.IdempotencyError):
        return misconfigured(error)
    if in_doubt:
        kind = KeySpent if is_kept(error) else OutcomeUnknown
        return kind(describe(error), retry_after=_retry_after(error))
    return TemporarilyUnavailable(describe(error), retry_after=_retry_after(error))


def _retry_after(error: BaseException | None) -> float | None:
    given = (error.headers or {}).get("retry-after", "") if isinstance(error, stripe.StripeError) else ""
    try:
        return max(0.0, float(given))
    except ValueError:
        return None


class _Pause(tenacity.wait.wait_base):
    """What Stripe asks for in Retry-After, and a jittered pause that doubles."""

    def __init__(self, longest: float) -> None:
        self._jittered = tenacity.wait_exponential_jitter(multiplier=0.1, max=longest, jitter=0.1)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome is not None else None
        return (_retry_after(error) or 0.0) + self._jittered(retry_state)


def _say(retry_state: tenacity.RetryCallState) -> None:
    error = retry_state.outcome.exception() if retry_state.outcome is not None else None
    if isinstance(error, stripe.StripeError):
        log.warning("%s; again in %.1f s", describe(error), retry_state.upcoming_sleep)
