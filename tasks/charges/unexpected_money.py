"""Money that an order has no use for: refunded, left to the customer's bank, or, where neither returns it, for a person to give back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.order_lock import lock_order
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.currency import format_amount
from models.states import ATTEMPT_OVER, ATTEMPT_UNDER_WAY, FINAL, AttemptStatus, DisputeStatus, RefundState
from models.timeline_kinds import Kind
from tasks.charges.news_outcome import NewsOutcome
from tasks.errors import RefundRefused
from tasks.ports import Charge, Dispute
from tasks.refunds import disputes, given_twice, refunded, refunding, undecided
from tasks.running import retry_policy
from tasks.wiring import begin, now

log = structlog.get_logger(__name__)

MOST_REFUNDS: Final = 2
"""of unexpected money that are tried: if the card's account takes no money, it comes back each time, days later"""


class RefundFailed(Exception):
    """A refund of unexpected money failed, and the next is made later: its event stays unhandled until then. Nothing is wrong with either."""


def is_given_up(order: Order, attempt: ChargeAttempt) -> bool:
    """Whether the order has no use for this attempt's money: the attempt is over, or the order ended while the attempt was still under way."""
    return attempt.status in ATTEMPT_OVER or (order.status in FINAL and attempt.status in ATTEMPT_UNDER_WAY)


def record(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> None:
    """Record that money arrived on an attempt we had given up. The caller has locked the order's row."""
    facts = {"attempt": attempt.attempt, "amount_minor": charge.amount_minor}
    if timeline.note_once(session, order.id, Kind.CHARGE_UNEXPECTED, facts):
        attempt.ref, attempt.settled_at = charge.ref, now()
        attempt.amount_minor, attempt.currency = charge.amount_minor, charge.currency
        if attempt.status not in ATTEMPT_OVER:
            attempt.status = AttemptStatus.VOID
        log.error("unexpected charge goes back", order_id=str(order.id), charge=charge.ref)


def leave_to_bank(
    order: Order, attempt: ChargeAttempt, charge: Charge, disputed: Sequence[Dispute], *, noted: int | None
) -> NewsOutcome:
    """The bank gives unexpected money back itself. If it has decided for us, or took only a part, a person must look: the money is the customer's
    all the same, until the bank takes that as well. What a person recorded as paid since is owed no more, and the customer has it twice once the bank takes it.

    What a person was told before is called off. noted: the newest entry about a dispute of the order. Raises StepAgain if there is another since.
    """
    back = refunding.back_minor(charge.ref)
    with begin() as session:
        lock_order(session, order.id)
        disputes.require_newest(session, order.id, noted)
        paid = refunded.paid_minor(session, attempt) or 0
        error, calls_person = _what_to_do(charge, disputed, back_minor=back, paid_minor=paid)
        said = _said_last(session, order, charge)
        if said.get("error") != error and (said or calls_person):
            _call_person(session, order, charge, error)
    return NewsOutcome.UNEXPECTED_AND_DISPUTED


def _what_to_do(charge: Charge, disputed: Sequence[Dispute], *, back_minor: int, paid_minor: int) -> tuple[str, bool]:
    """What a person is to do about an unexpected charge of which a dispute is in the way; whether they must be called for that.

    back_minor: what the provider refunded of it. paid_minor: what was recorded as paid.
    """
    if wait := undecided.why_wait(charge.ref, disputed):
        return wait, False
    dispute = disputes.one_in_the_way(disputed)
    not_taken = disputes.not_taken_minor(disputed, amount_minor=charge.amount_minor, currency=charge.currency)
    owed_minor = max(0, not_taken - back_minor) - paid_minor
    left = f"{format_amount(owed_minor, charge.currency)} of unexpected charge {charge.ref} is still the customer's"
    if dispute.status is DisputeStatus.CHARGEBACK:
        return f"{charge.ref} is disputed (dispute {dispute.ref}, not decided yet): {disputes.DO_NOT_PAY}", False
    taken = f"the customer's bank has taken {disputes.sum_taken_back(disputed)} of {charge.ref} back for good ({disputes.named(disputed)}, lost)"
    if disputes.is_foreign(disputed, charge.currency):
        return _compare(taken, charge, paid_minor=paid_minor), paid_minor > 0
    if owed_minor < 0:
        twice = given_twice.told(
            f"unexpected charge {charge.ref}",
            disputed,
            amount_minor=charge.amount_minor,
            paid_minor=paid_minor,
            refunded_minor=back_minor,
            currency=charge.currency,
        )
        return twice, True
    if dispute.status is DisputeStatus.WON and owed_minor:
        return f"{left}, though its dispute {dispute.ref} was won; the provider refunds it no more", True
    if dispute.status is DisputeStatus.WON:
        return (
            f"the dispute {dispute.ref} of {charge.ref} was won, and the money is back: nothing of it is owed any more",
            False,
        )
    if owed_minor:
        return (
            f"{left}: the bank took only a part back (dispute {dispute.ref}, lost), and the provider refunds it no more"
        ), True
    return f"{taken}: nothing of it is owed any more", False


def _compare(taken: str, charge: Charge, *, paid_minor: int) -> str:
    """What to do once the bank took a sum in another currency, of which nobody can tell what it left. paid_minor: what a person recorded as paid."""
    told = f"{taken}, which was of {format_amount(charge.amount_minor, charge.currency)}"
    if not paid_minor:
        return f"{told}: compare the sums, and pay only what that left"
    return (
        f"{told}, and {format_amount(paid_minor, charge.currency)} of it was recorded as paid by `prorata orders refunded-outside`: compare the sums. "
        "What they are more than the charge the customer has twice: send the bank proof of what was paid"
    )


def _said_last(session: Session, order: Order, charge: Charge) -> Mapping[str, Any]:
    """The newest entry of what a person is to do about an unexpected charge; empty if there is none."""
    about = (OrderEvent.order_id == order.id, OrderEvent.kind == Kind.REFUND_REFUSED)
    said = select(OrderEvent.facts).where(*about, OrderEvent.facts.contains({"charge": charge.ref}))
    return session.scalar(said.order_by(OrderEvent.id.desc()).limit(1)) or {}


def _call_person(session: Session, order: Order, charge: Charge, error: str, **facts: int) -> None:
    timeline.note(session, order.id, Kind.REFUND_REFUSED, {"charge": charge.ref, "error": error, **facts})
    log.error("unexpected charge does not go back", order_id=str(order.id), error=error)


def refund(order: Order, attempt: ChargeAttempt, charge: Charge) -> NewsOutcome:
    """Refund unexpected money, whatever the order's status. Raises RefundFailed until that has succeeded; after `MOST_REFUNDS` it is for a person to do."""
    with begin() as session:
        lock_order(session, order.id)
        if refunded.is_refunded(session, attempt):
            return NewsOutcome.UNEXPECTED_AND_REFUNDED_BEFORE
        if not charge.refunded:  # in the dashboard, say: that is only to be recorded
            if _is_left_to_person(session, order, attempt, charge):
                return NewsOutcome.UNEXPECTED_AND_LEFT
            _space_out(session, attempt)
        reason = "unexpected-charge"
        refund_attempt = refunding.start(session, order, attempt, amount_minor=charge.amount_minor, reason=reason)
    try:
        answer = refunding.request_refund(refund_attempt, charge_ref=charge.ref)
    except RefundRefused as refused:
        _note_refused(order, attempt, charge, refund_attempt, refused)
        raise
    with begin() as session:
        lock_order(session, order.id)
        state = refunding.record(session, refund_attempt, answer)
    if state is RefundState.FAILED:
        raise RefundFailed(f"refund {answer.ref} of unexpected money failed: {answer.failure_reason}")
    return NewsOutcome.UNEXPECTED_AND_REFUNDED


def _note_refused(
    order: Order, attempt: ChargeAttempt, charge: Charge, refund_attempt: RefundAttempt, refused: RefundRefused
) -> None:
    """Call a person, unless that was the last that was said, of the same sum: the refusal names another request each time."""
    facts = {"attempt": attempt.attempt}
    if refused.owed_minor is not None:
        facts["owed_minor"] = refused.owed_minor
    with begin() as session:
        lock_order(session, order.id)
        refunding.mark_refused(session, refund_attempt)
        said = _said_last(session, order, charge)
        if "attempt" not in said or said.get("owed_minor") != refused.owed_minor:
            _call_person(session, order, charge, str(refused), **facts)


def _is_left_to_person(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> bool:
    """Whether as many refunds as are tried were made, and failed. It is noted once; a refund that was not made is not counted."""
    made = refunded.made_in_vain(session, attempt)
    if len(made) < MOST_REFUNDS:
        return False
    error = f"{len(made)} refunds of unexpected charge {charge.ref} failed, and no other is made: give it back by other means"
    if _said_last(session, order, charge).get("error") != error:
        _call_person(session, order, charge, error)
    return True


def _space_out(session: Session, attempt: ChargeAttempt) -> None:
    """Delay the next refund once one is known to have failed. Each refund causes several events, and each of these would otherwise start another refund."""
    failed = refunded.failed_refunds(session, attempt)
    since = [each.settled_at or each.created_at for each in failed]
    if failed and now() < max(since) + retry_policy.event_delay(len(failed) - 1):
        raise RefundFailed("a refund of unexpected money failed; the next one is not due yet")
