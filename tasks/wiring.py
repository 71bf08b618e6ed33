"""Gives the steps their database, adapters, policy and clock. `worker` (and tests) plug these in once, before the first step."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from tasks import slots
from tasks.carrying import Mode, SharedTransaction, commit_left_open
from tasks.policy import Policy
from tasks.ports import Mailer, PaymentProvider, VatRegistry


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wiring:
    begin: Callable[[], AbstractContextManager[Session]]
    """a session in a transaction: committed at the end, rolled back on an exception"""
    payments: PaymentProvider
    vat_registry: VatRegistry
    mailer: Mailer
    policy: Policy
    now: Callable[[], datetime] = field(default=_utc_now)
    """aware, UTC"""
    longest_letter: timedelta = timedelta(minutes=16)
    """that `mailer` may take for one"""
    longest_delivery: timedelta = timedelta(hours=1)
    """that all of an order's steps in one process may take: a delivery that takes longer hangs"""


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
    """A transaction, or the one left open by `carry()`; committed at the end, rolled back on an exception."""
    return SharedTransaction(wired().begin, Mode.COMMIT)


def begin_alone() -> AbstractContextManager[Session]:
    """Like `begin()`, for a single `models.prepared` statement: without the round trips of BEGIN and COMMIT, if no transaction was left open."""
    return SharedTransaction(wired().begin, Mode.ONE_STATEMENT)


def carry() -> AbstractContextManager[Session]:
    """Like `begin()`, but the transaction is left open for this thread's next block, which may commit it (see `tasks.carrying`)."""
    return SharedTransaction(wired().begin, Mode.LEAVE_OPEN)


@contextmanager
def outside() -> Iterator[None]:
    """Wraps calls to outside systems. Commits an open transaction first, and gives up this thread's slot while the call waits."""
    commit_left_open(wired().begin)
    with slots.given_up():
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
    """Business time: whole seconds, in which periods, quotes and amounts are counted."""
    return exact_now().replace(microsecond=0)


def exact_now() -> datetime:
    """When something happens, to tell it and to sort by: in whole seconds it would precede what PostgreSQL has timed to the microsecond."""
    return wired().now()
