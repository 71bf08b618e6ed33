"""`reconcile`: all charges, refunds and disputes within a time range, page by page."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar
from uuid import UUID

from tasks.ledger_check.differences import Difference
from tasks.ports import RefundStatus
from tasks.reconciliation.charges import check_charges, check_missing_charges
from tasks.reconciliation.disputes import check_disputes
from tasks.reconciliation.refunds import check_missing_refunds, check_refunds, of_our_charges
from tasks.wiring import begin, payments

Made = TypeVar("Made")

BATCH = 100
MAY_FAIL_FOR = timedelta(days=35)
"""after a refund was made: its bank may return it for 30 days, as Stripe says, and not all are sent at once"""


@dataclass(slots=True)
class Reconciled:
    """In `differences`, `expected` is the provider's record and `found` is ours."""

    charges: int = 0
    refunds: int = 0
    disputes: int = 0
    """those opened within the range"""
    of_others: int = 0
    """charges that were not made for an order of any Prorata installation; they are left out"""
    differences: list[Difference] = field(default_factory=list)


def reconcile(
    since: datetime, until: datetime, *, found: Reconciled | None = None, say: Callable[[str], None] = lambda _: None
) -> Reconciled:
    """Compare all that was made from `since` to just before `until`, and refunds from before that have failed since. Choose `until` some minutes ago, so that nothing is still under way.

    Call it outside a transaction. Raises TemporarilyUnavailable, Misconfigured: the provider could not be asked.
    found: an empty one, which is filled and returned; it holds what was found so far where this ends early.
    """
    found = Reconciled() if found is None else found
    made = _reconcile_charges(found, since, until, say)
    _reconcile_refunds(found, since, until, made, say)
    _reconcile_failed_refunds(found, since, made)
    _reconcile_disputes(found, since, until, made)
    return found


def _reconcile_charges(
    found: Reconciled, since: datetime, until: datetime, say: Callable[[str], None]
) -> Mapping[str, UUID]:
    """Returns which order each charge was made for, by the provider's ids of the charges."""
    made = dict[str, UUID]()
    for charges in _batches(payments().charges_made(since, until)):
        ours = [charge for charge in charges if charge.order_id is not None and charge.attempt is not None]
        made.update({charge.ref: charge.order_id for charge in ours if charge.order_id is not None})
        with begin() as session:
            found.differences += check_charges(session, ours)
        found.charges += len(ours)
        found.of_others += len(charges) - len(ours)
        say(f"{found.charges} charges")
    found.differences += check_missing_charges(since, until, made, say)
    return made


def _reconcile_refunds(
    found: Reconciled, since: datetime, until: datetime, made: Mapping[str, UUID], say: Callable[[str], None]
) -> None:
    seen = set[str]()
    for refunds in _batches(payments().refunds_made(since, until)):
        seen.update(refund.ref for refund in refunds)
        with begin() as session:
            ours = of_our_charges(session, refunds, made)
            found.differences += check_refunds(session, ours)
        found.refunds += len(ours)
        say(f"{found.charges} charges, {found.refunds} refunds")
    found.differences += check_missing_refunds(since, until, seen, say)


def _reconcile_failed_refunds(found: Reconciled, since: datetime, made: Mapping[str, UUID]) -> None:
    for refunds in _batches(payments().refunds_made(since - MAY_FAIL_FOR, since)):
        failed = [refund for refund in refunds if refund.status is RefundStatus.FAILED]
        with begin() as session:
            found.differences += check_refunds(session, of_our_charges(session, failed, made))


def _reconcile_disputes(found: Reconciled, since: datetime, until: datetime, made: Mapping[str, UUID]) -> None:
    for disputes in _batches(payments().disputes_made(since, until)):
        with begin() as session:
            ours = of_our_charges(session, disputes, made)
            found.differences += check_disputes(session, ours)
        found.disputes += len(ours)


def _batches(made: Iterator[Made]) -> Iterator[list[Made]]:
    while batch := list(islice(made, BATCH)):
        yield batch
