"""What an error of Stripe's SDK means (retry, outcome in doubt, our mistake), and its description without what we had sent."""

import re
from ssl import SSLCertVerificationError
from typing import NoReturn

import stripe
import urllib3.exceptions
from requests import exceptions as requests_errors

from tasks.errors import KeyReused, KeySpent, Misconfigured, OutcomeUnknown, TemporarilyUnavailable

Refusal = stripe.CardError | stripe.InvalidRequestError

_PERMISSION = re.compile(r"'(rak_[a-z_]+)' permission")


def misconfigured(error: stripe.StripeError) -> Misconfigured:
    if isinstance(error, stripe.AuthenticationError):
        return Misconfigured(f"Stripe refuses our API key, see PRORATA_STRIPE_API_KEY: {describe(error)}")
    if isinstance(error, stripe.PermissionError):
        lacking, said = _lacking(error), describe(error)
        return Misconfigured(f"Stripe's API key may not do this{lacking}, see PRORATA_STRIPE_API_KEY: {said}")
    return Misconfigured(describe(error))


def _lacking(error: stripe.PermissionError) -> str:
    """Which permission a restricted key lacks, where Stripe's message names it."""
    named = _PERMISSION.search(error.user_message or "")
    return f" (it lacks the permission {named[1]})" if named else ""


def unexpected(error: Refusal) -> NoReturn:
    """For calls that cannot be refused unless we are wrong."""
    raise misconfigured(error) from None


def describe(error: stripe.StripeError) -> str:
    """`Stripe: InvalidRequestError parameter_unknown metadata 400 req_123`; never Stripe's own message, it may quote what we sent."""
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
    """Whether a request that ended with this error may have taken effect all the same. One that is replayed had begun, whatever its error."""
    if is_replayed(error):
        return True
    if isinstance(error, stripe.APIConnectionError):
        return not _never_sent(error.__cause__)
    if isinstance(
        error, stripe.RateLimitError | stripe.AuthenticationError | stripe.PermissionError | stripe.IdempotencyError
    ):
        return False  # refused before the endpoint began
    return isinstance(error, stripe.APIError)  # 5xx, 409 while the first is under way, an answer nobody can read


def is_replayed(error: stripe.StripeError) -> bool:
    return (error.headers or {}).get("idempotent-replayed") == "true"


def is_kept(error: stripe.StripeError) -> bool:
    """An error that Stripe keeps under the idempotency key: a retry can only return it again. Of a 5xx it says so at once."""
    asked = (error.headers or {}).get("stripe-should-retry")
    return is_replayed(error) or (asked == "false" and (error.http_status or 0) >= 500)


def is_untrusted(error: object) -> bool:
    """Whether a failed certificate check is the cause, however the libraries have wrapped it. Nothing was sent then."""
    while isinstance(error, BaseException):
        if isinstance(error, SSLCertVerificationError):
            return True
        error = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return False


def _never_sent(cause: BaseException | None) -> bool:
    if is_untrusted(cause):
        return True
    nowhere = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    if isinstance(cause, (*nowhere, requests_errors.ConnectTimeout)):
        return True
    reason = getattr(cause.args[0], "reason", None) if cause is not None and cause.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def unanswered(error: stripe.StripeError, *, in_doubt: bool, failed_just_now: bool = False) -> Exception:
    if is_untrusted(error.__cause__):
        return Misconfigured("Stripe's certificate is not trusted: is the address right, and no stranger in between?")
    if isinstance(error, stripe.IdempotencyError):
        return KeyReused(describe(error))
    if in_doubt and is_kept(error):
        return KeySpent(describe(error), retry_after=retry_after_of(error), just_now=failed_just_now)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return misconfigured(error)
    if in_doubt:
        return OutcomeUnknown(describe(error), retry_after=retry_after_of(error))
    return TemporarilyUnavailable(describe(error), retry_after=retry_after_of(error))


def retry_after_of(error: BaseException | None) -> float | None:
    given = (error.headers or {}).get("retry-after", "") if isinstance(error, stripe.StripeError) else ""
    try:
        return max(0.0, float(given))
    except ValueError:
        return None
