"""Refunds one charge: finds what is outstanding, asks the provider for it, and records its answer.

A refund is committed with its key before the provider is asked, and a charge has at most one refund that has not failed (a unique
index enforces that), so that nothing is refunded twice. Three modules ask for refunds: `refund_payment`, and `unexpected_money`
and `outdated_charges` for money that an order has no use for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from models import timeline
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.currency import format_amount
from models.states import RefundState
from models.timeline_kinds import Kind
from tasks.errors import (
    ChargeDisputed,
    KeyReused,
    KeySpent,
    Misconfigured,
    OutcomeUnknown,
    RefundRefused,
    Refused,
    StepAgain,
    TemporarilyUnavailable,
)
from tasks.ports import UNDER_WAY, Dispute, Refund, RefundRequest, RefundStatus
from tasks.refunds import disputes, refunded, refunds_elsewhere, undecided, unfunded_refunds
from tasks.wiring import begin, exact_now, now, payments, policy


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's answer about a refund of ours."""

    refunds: Sequence[Refund]
    """the one that it made for us; or those made elsewhere, if they return all of the money"""

    @property
    def ref(self) -> str | None:
        """None if several refunds return the money together: none of them is the refund."""
        return self.refunds[0].ref if len(self.refunds) == 1 else None

    @property
    def has_failed(self) -> bool:
        return any(each.status is RefundStatus.FAILED for each in self.refunds)

    @property
    def failure_reason(self) -> str | None:
        return next((each.failure_reason for each in self.refunds if each.status is RefundStatus.FAILED), None)


def back_minor(charge_ref: str) -> int:
    """How much of a charge the provider has refunded, or is about to. Call it outside a transaction.

    Raises TemporarilyUnavailable, Misconfigured, Refused: it could not be asked.
    """
    return standing_minor(payments().find_refunds(charge_ref=charge_ref))


def standing_minor(refunds: Sequence[Refund]) -> int:
    """How much these refunds of a charge return, without those that failed."""
    return _sum_minor(_standing(refunds))


def owed_minor(charge_ref: str, disputed: Sequence[Dispute], *, amount_minor: int, currency: str) -> int:
    """How much of a charge the customer has neither from the provider nor from the bank, if a dispute of it is in the way. 0 if the bank took all.

    Call it outside a transaction. Raises as `back_minor` does.
    """
    not_taken = disputes.not_taken_minor(disputed, amount_minor=amount_minor, currency=currency)
    return max(0, not_taken - back_minor(charge_ref)) if not_taken else 0


def why_owed(charge_ref: str, disputed: Sequence[Dispute] | None, *, amount_minor: int, currency: str) -> str | None:
    """What a dispute that is in the way means for a refund of the charge that was not made; None if none is. disputed: None if they cannot be asked for.

    Call it outside a transaction. Raises as `back_minor` does.
    """
    if disputed is None:
        told = disputes.what_is_owed(charge_ref, None, owed_minor=0, currency=currency)
    elif disputes.in_the_way(disputed):
        owed = owed_minor(charge_ref, disputed, amount_minor=amount_minor, currency=currency)
        told = undecided.why_wait(charge_ref, disputed) or disputes.what_is_owed(
            charge_ref, disputed, owed_minor=owed, currency=currency
        )
    else:
        return None
    return f"{told}. See docs/disputes.md, A disputed charge"


def why_failed(attempt: RefundAttempt, answer: Answer, *, charge_ref: str) -> str | None:
    """What to tell a person of a refund that has failed; None if it has not. Call it outside a transaction. Raises as `back_minor` does."""
    if not answer.has_failed:
        return None
    failed = f"refund {answer.ref} failed: {answer.failure_reason}"
    disputed = _disputes(attempt.order_id, charge_ref)
    owed = why_owed(charge_ref, disputed, amount_minor=attempt.amount_minor, currency=attempt.currency)
    return f"{failed}. But {owed}" if owed else failed


def start(session: Session, order: Order, charge: ChargeAttempt, *, amount_minor: int, reason: str) -> RefundAttempt:
    """Insert a refund's row, or return the one that is pending, to be requested now. Commit it before `request_refund`."""
    pending = next((each for each in refunded.attempts_of(session, charge) if each.status is RefundState.PENDING), None)
    if pending is not None:
        pending.asked_at = exact_now()
        session.flush()
        return pending
    last = session.scalar(select(func.max(RefundAttempt.attempt)).where(RefundAttempt.order_id == order.id)) or 0
    attempt = RefundAttempt(
        order_id=order.id,
        attempt=last + 1,
        charge_attempt=charge.attempt,
        key=f"order:{order.id}:refund:{last + 1}",
        amount_minor=amount_minor,
        currency=charge.currency,
        reason=reason,
        status=RefundState.PENDING,
        created_at=(begun := exact_now()),
        asked_at=begun,
    )
    session.add(attempt)
    session.flush()
    timeline.note(session, order.id, Kind.REFUND_ATTEMPTED, {"attempt": attempt.attempt, "amount_minor": amount_minor})
    return attempt


def request_refund(attempt: RefundAttempt, *, charge_ref: str) -> Answer:
    """Ask the provider to make the refund; after an unclear answer it is looked up among the charge's refunds.

    Raises TemporarilyUnavailable, StepAgain; RefundRefused if the provider refuses and the charge is not refunded.
    """
    key_may_be_forgotten = attempt.created_at < now() - policy().charge_key_lifetime
    if key_may_be_forgotten and (found := _find(attempt, charge_ref)) is not None:
        return found
    try:
        return Answer([payments().refund(_request(attempt, charge_ref))])
    except Refused as refused:
        found = _find(attempt, charge_ref)
        if found is None:
            raise _refused(attempt, charge_ref, refused) from refused
        return found
    except KeySpent as spent:
        # `just_now` may be lost with its process: then this ends too soon, but each refund is of a whole charge, and the provider never makes two.
        return _look_up(attempt, charge_ref, may_be_under_way=spent.just_now)
    except KeyReused:
        # A release has changed what the request says, or a restored database has forgotten the refund that used the key. No wait, for the same reason.
        return _look_up(attempt, charge_ref, may_be_under_way=False)
    except OutcomeUnknown:
        found = _find(attempt, charge_ref)
        if found is None:
            raise
        return found


def record(session: Session, attempt: RefundAttempt, answer: Answer) -> RefundState:
    """Record the provider's answer. An accepted refund counts as made; if it fails later, a webhook reports that.

    The caller has locked the order's row. Raises StepAgain if a webhook has meanwhile reported that a refund made elsewhere failed.
    """
    if any(refunds_elsewhere.has_failed(session, attempt.order_id, each.ref) for each in answer.refunds):
        raise StepAgain("a refund made elsewhere, found in place of ours, has failed meanwhile")
    state = RefundState.FAILED if answer.has_failed else RefundState.SUCCEEDED
    refunds_elsewhere.note(session, attempt.order_id, attempt.charge_attempt, answer.refunds)
    unfunded_refunds.note(session, attempt.order_id, answer.refunds)
    _settle(session, attempt, state, ref=answer.ref)
    if state is RefundState.FAILED:
        timeline.note(session, attempt.order_id, Kind.REFUND_FAILED, {"error": answer.failure_reason})
    return state


def mark_refused(session: Session, attempt: RefundAttempt) -> None:
    """Record that the request which `attempt` was started for is refused, unless another has been begun since: that one may yet be granted."""
    session.execute(
        update(RefundAttempt)
        .where(RefundAttempt.key == attempt.key, RefundAttempt.asked_at == attempt.asked_at)
        .values(asked_at=None)
        .execution_options(synchronize_session=False)
    )


def mark_failed_later(session: Session, charge: ChargeAttempt, refund: Refund) -> bool:
    """Record that a refund failed later, whether or not its first answer was recorded. False if that is known already, or it is not ours.

    A refund of ours that consists of several made elsewhere has failed as soon as those that stand are too little: one that failed before, or
    was made again since, takes nothing from it. Call it once those in the provider's answer are noted (`refunds_elsewhere.note`).
    """
    succeeded = RefundAttempt.status == RefundState.SUCCEEDED
    accepted = and_(succeeded, RefundAttempt.ref == refund.ref)
    not_recorded = and_(RefundAttempt.status == RefundState.PENDING, RefundAttempt.attempt == refund.attempt)
    standing = refunds_elsewhere.sum_minor(session, charge.order_id, charge.attempt)
    part_of_it = and_(succeeded, RefundAttempt.ref.is_(None), RefundAttempt.amount_minor > standing)
    failed = (
        update(RefundAttempt)
        .where(
            RefundAttempt.order_id == charge.order_id,
            RefundAttempt.charge_attempt == charge.attempt,
            or_(accepted, not_recorded, part_of_it),
        )
        .values(
            status=RefundState.FAILED,
            ref=case((succeeded, RefundAttempt.ref), else_=refund.ref),
            settled_at=exact_now(),
        )
        .returning(RefundAttempt.key)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(failed) is not None


def settle_outside(session: Session, attempt: RefundAttempt, *, by_bank: bool) -> None:
    """Record a person's statement that the money was refunded by other means; the provider is not asked (any more).

    by_bank: the customer's bank has taken it back.
    """
    if by_bank:
        attempt.reason = refunded.DISPUTE_LOST
    _settle(session, attempt, RefundState.SUCCEEDED, ref=f"{refunded.OUTSIDE}{attempt.order_id}:{attempt.attempt}")


def _request(attempt: RefundAttempt, charge_ref: str) -> RefundRequest:
    return RefundRequest(
        order_id=attempt.order_id,
        attempt=attempt.attempt,
        key=attempt.key,
        charge_ref=charge_ref,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
    )


def _refused(attempt: RefundAttempt, charge_ref: str, refused: Refused) -> RefundRefused:
    if isinstance(refused, ChargeDisputed):
        return RefundRefused(_why_refused(attempt, charge_ref, refused))
    why = f"the provider refuses to refund {charge_ref}: {refused}"
    if not (back := back_minor(charge_ref)):
        return RefundRefused(why)
    owed = attempt.amount_minor - back
    went_back, still_theirs = (format_amount(minor, attempt.currency) for minor in (back, owed))
    left = f"{went_back} of it went back already: {still_theirs} is still the customer's"
    return RefundRefused(f"{why}. {left}", owed_minor=owed)


def _why_refused(attempt: RefundAttempt, charge_ref: str, refused: ChargeDisputed) -> str:
    disputed = _disputes(attempt.order_id, charge_ref)
    if disputed is not None and disputes.in_the_way(disputed) is None:
        disputed = None  # it has ended since
    owed = why_owed(charge_ref, disputed, amount_minor=attempt.amount_minor, currency=attempt.currency)
    return f"{owed}. The provider refuses to refund it: {refused}"


def _disputes(order_id: UUID, charge_ref: str) -> Sequence[Dispute] | None:
    """The charge's disputes; None if they cannot be asked for, because the key may not read them, say: then it is taken for undecided."""
    try:
        return disputes.find(order_id, charge_ref)
    except (Misconfigured, Refused):
        return None


def _look_up(attempt: RefundAttempt, charge_ref: str, *, may_be_under_way: bool) -> Answer:
    """The attempt's refund, where its request will not be made again.

    If there is none, end the attempt and let the next delivery begin another, unless the request may still be under way. Raises
    StepAgain where the attempt is ended, TemporarilyUnavailable where it waits.
    """
    found = _find(attempt, charge_ref)
    if found is not None:
        return found
    if may_be_under_way:
        wait = UNDER_WAY.total_seconds()
        raise TemporarilyUnavailable("the request to refund may still be under way at the provider", retry_after=wait)
    _give_up(attempt)
    raise StepAgain(f"the provider has no refund under {attempt.key} and makes none any more; beginning another")


def _find(attempt: RefundAttempt, charge_ref: str) -> Answer | None:
    """The charge's refunds at the provider, if they return the money: ours, which alone returns all of it, or others (by hand, in the Dashboard)."""
    found = _standing(payments().find_refunds(charge_ref=charge_ref))
    all_is_back = _sum_minor(found) >= attempt.amount_minor
    return Answer(found) if all_is_back else None


def _standing(refunds: Sequence[Refund]) -> list[Refund]:
    return [each for each in refunds if each.status is not RefundStatus.FAILED]


def _sum_minor(refunds: Sequence[Refund]) -> int:
    return sum(each.amount_minor for each in refunds)


def _give_up(attempt: RefundAttempt) -> None:
    with begin() as session:
        _settle(session, attempt, RefundState.FAILED, ref=None)


def _settle(session: Session, attempt: RefundAttempt, state: RefundState, *, ref: str | None) -> None:
    """Record the outcome unless one is recorded already. ref: None if it was never made."""
    session.execute(
        update(RefundAttempt)
        .where(RefundAttempt.key == attempt.key, RefundAttempt.status == RefundState.PENDING)
        .values(status=state, ref=ref, settled_at=exact_now())
    )
