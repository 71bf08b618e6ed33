"""What can go wrong at the edges, in the words of the pipeline; adapters translate their libraries' errors into these."""

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

NO_DATABASE = (OperationalError, NoConnectionFree)
"""it is away, or the pool's connections are all in use and stay so: temporary"""


class TemporarilyUnavailable(Exception):
    """The other side did not do it, and asking again later is right.

    retry_after: seconds the other side asked us to wait, None where it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(TemporarilyUnavailable):
    """The request was sent and no trustworthy answer came: it may have taken effect.

    Ask again with the same idempotency key; once that key may have expired, look the effect up before making it anew.
    """


class KeySpent(OutcomeUnknown):
    """The provider keeps a failure under this key and will answer with it for ever: look the effect up.

    Where there is none, the key has made none, and a new key may be used; but where the provider itself failed `just_now`, what it had
    begun may still come to be, so not before `ports.UNDER_WAY` is over.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, just_now: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.just_now = just_now


class KeyReused(OutcomeUnknown):
    """The key was used for a request that said something else (a setting has changed since, say): look up what came of that one."""


class Refused(Exception):
    """The other side understood and said no for good; the same request can only be refused again.

    code: the other side's own machine-readable reason, "" where it has none.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class PaymentMethodRefused(Refused):
    """A payment method cannot be used (card refused, token unknown or spent); the customer must give another."""


class AddressRefused(Refused):
    """The mail server will not deliver to this address, now or later."""


class Misconfigured(Exception):
    """We are wrong, not the customer: bad credentials, unknown parameter. A person must look."""


def behind_a_lock(error: BaseException) -> bool:
    """Whether PostgreSQL is there, and only gave up waiting for what others hold (`worker.database.limit_waits`), or for each other."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) in ("55P03", "40P01")
