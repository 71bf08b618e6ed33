"""Where the steps find database, adapters, policy and clock. `worker` (and tests) plug them in once, before the first step."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from tasks import carrying, turns
from tasks.policy import Policy
from tasks.ports import Mailer, PaymentProvider, VatRegistry


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Wiring:
    begin: Callable[[], AbstractContextManager[Session]]
    """a session in a transaction: committed at the end, rolled back on an exception"""
    payments: PaymentProvider
    vat_registry: VatRegistry
    mailer: Mailer
    policy: Policy
    now: Callable[[], datetime] = field(default=_utc_now)
    """business time: aware, UTC, whole seconds"""


class NotWired(RuntimeError):
    """A step ran before `plug_in`: start it through `worker`."""


_wiring: Wiring | None = None


def plug_in(wiring: Wiring) -> None:
    global _wiring
    _wiring = wiring


def wired() -> Wiring:
    if _wiring is None:
        raise NotWired(NotWired.__doc__)
    return _wiring


def begin() -> AbstractContextManager[Session]:
    """A transaction, committed at the end with all that was carried to it; rolled back on an exception."""
    return carrying.Joint(wired().begin)


def begin_alone() -> AbstractContextManager[Session]:
    """The same, for a single statement (`models.prepared`): without a BEGIN and a COMMIT to wait for, where nothing was carried."""
    return carrying.Joint(wired().begin, alone=True)


def carry() -> AbstractContextManager[Session]:
    """The same, but for what need not be committed before the next thing that is done in this thread (see `tasks.carrying`)."""
    return carrying.Joint(wired().begin, leave_open=True)


@contextmanager
def outside() -> Iterator[None]:
    """Around whatever is asked of the world outside: what was carried is committed before, and others work while this waits."""
    carrying.settle(wired().begin)
    with turns.given_up():
        yield


def payments() -> PaymentProvider:
    return wired().payments


def vat_registry() -> VatRegistry:
    return wired().vat_registry


def mailer() -> Mailer:
    return wired().mailer


def policy() -> Policy:
    return wired().policy


def now() -> datetime:
    return wired().now()
