"""The pipeline's errors for failures of outside systems; adapters translate their libraries' errors into these."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from models.errors import Explained

NO_DATABASE = (OperationalError, NoConnectionFree)
"""the database is unreachable, or every pooled connection stays in use: temporary trouble"""


class TemporarilyUnavailable(Exception):
    """The other side did not do it; ask again later.

    retry_after: seconds the other side asked us to wait, None if it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StepAgain(TemporarilyUnavailable):
    """We did a part, or know more than before; deliver the step again."""


class NotAsked(TemporarilyUnavailable):
    """We did not ask yet, because too much of this process waits for the other side already. Nothing has failed: it does not count as a try."""


class OutcomeUnknown(TemporarilyUnavailable):
    """The request was sent and no trustworthy answer came: it may have taken effect.

    Ask again with the same idempotency key; once that key may have expired, look the effect up before making it anew.
    """


class KeySpent(OutcomeUnknown):
    """The provider has stored a failure under this key and will keep returning it: look the effect up.

    If there is no effect, a new key may be used. But if the provider itself failed `just_now`, what it had begun may still take
    effect, so wait for `ports.UNDER_WAY` first.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, just_now: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.just_now = just_now


class KeyReused(OutcomeUnknown):
    """The key was already used for a different request (a setting has changed since, say): look up that request's effect."""


class Refused(Exception):
    """The other side understood the request and refused it for good; repeating it cannot help.

    code: the other side's own machine-readable reason, "" if it has none.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class PaymentMethodRefused(Refused):
    """A payment method cannot be used (card refused, token unknown or spent); the customer must provide another."""


class CustomerDeleted(Refused):
    """The provider's customer was deleted there, and its payment methods with it; another has to be made."""


class ChargeDisputed(Refused):
    """The provider makes no refund of a charge that the customer's bank has taken back."""


class AddressRefused(Refused):
    """The mail server will not deliver to this address, now or later."""


class Misconfigured(Explained):
    """Our mistake, not the customer's: bad credentials, unknown parameter. A person must look."""


def told(error: Exception) -> dict[str, object]:
    """For `log.exception`: a wrong setting says what is wrong, to which a traceback would add nothing."""
    return {"error": str(error), "exc_info": False} if isinstance(error, Misconfigured) else {}


class NumberRejected(Misconfigured):
    """The VAT registry rejects a question because of the number asked about; it may answer those about others."""


class RefundRefused(Misconfigured):
    """The provider refuses to refund a charge, and not all of it is back: a part went back elsewhere, say. A person must look.

    owed_minor: what is left of the charge, if a part went back.
    """

    def __init__(self, message: str, *, owed_minor: int | None = None) -> None:
        super().__init__(message)
        self.owed_minor = owed_minor


class NotRecorded(Explained):
    """The other side answered a person's command, and the database did not take that down; the message says what it was."""


ENDS_EARLY = (KeyboardInterrupt, *NO_DATABASE, TemporarilyUnavailable, Misconfigured)
"""what may end a long command between two of its transactions, through no fault of the orders or accounts it works on"""


_REFUSES_CONNECTIONS = (
    "too many connections for",
    "too many clients",
    "connection slots are reserved",
    "authentication failed",
    "permission denied for database",
)
"""while connecting the driver tells no SQLSTATE"""


def behind_a_lock(error: BaseException) -> bool:
    """Whether PostgreSQL is reachable and only gave up on a lock: it timed out (`worker.database.set_up_sessions`), or there was a deadlock."""
    return _sqlstate(error) in ("55P03", "40P01")


def database_is_away(error: BaseException) -> bool:
    """Whether nothing answered, or PostgreSQL is shutting down or starting: not that it answered and refused."""
    state = _sqlstate(error) or ""
    if not isinstance(error, OperationalError) or any(sign in str(error.orig) for sign in _REFUSES_CONNECTIONS):
        return False
    return not state or state.startswith(("08", "57P"))


def database_said(error: SQLAlchemyError) -> str:
    """The driver's own words, which `models.prepared.withhold_values` has shortened, without SQLAlchemy's and the statement."""
    return str(getattr(error, "orig", None) or error).strip()


def without_broker(error: BaseException) -> str:
    """What to log where a message could not be sent or read: a process that may open no more files says nothing about the broker."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.EMFILE, errno.ENFILE):
            return "no file descriptor is left for the broker"
        seen = seen.__cause__ or seen.__context__
    return "the broker is away"


def stood_still(error: BaseException) -> bool:
    """Whether PostgreSQL ended a transaction in which we said nothing for too long (`worker.database.set_up_sessions`)."""
    return _sqlstate(error) == "25P03"


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.orig, "sqlstate", None) if isinstance(error, OperationalError) else None


@contextmanager
def keeping(what: Callable[[], str]) -> Iterator[None]:
    """For work in several transactions: if it ends early, a note of the error says `what` is kept. Without one, nothing was changed."""
    try:
        yield
    except ENDS_EARLY as error:
        if kept := what():
            error.add_note(kept)
        raise
