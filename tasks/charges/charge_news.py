"""Handles provider events about a charge: continues a waiting order, refunds unexpected money, or alerts a person."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import attention, disputed_charges, timeline, waiting_orders
from models.order_lock import lock_order
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.states import ATTEMPT_OVER, ATTEMPT_UNDER_WAY, FINAL, AttemptStatus, OrderStatus, RefundState, Step
from models.timeline_kinds import Kind
from tasks.charges import charge_attempts
from tasks.errors import RefundRefused, StepAgain, TemporarilyUnavailable
from tasks.ports import Charge, ChargeStatus, Dispute, DisputeStatus, EventKind, Refund, RefundStatus
from tasks.refunds import disputes, refunded, refunding, refunds_elsewhere, unfunded_refunds
from tasks.running import retry_policy
from tasks.wiring import begin, now, payments

log = structlog.get_logger(__name__)

MOST_REFUNDS: Final = 2
"""of unexpected money that are tried: if the card's account takes no money, it comes back each time, days later"""


class NewsOutcome(StrEnum):
    """The outcome of an event, as `webhooks_received` stores it for a person to read."""

    NOT_ABOUT_A_CHARGE = "not about a charge"
    NOT_OURS = "not ours"
    UNKNOWN_ORDER = "unknown order"
    UNKNOWN_ATTEMPT = "unknown attempt"
    NOTHING_TO_DO = "nothing to do"
    REOPENED = "reopened"
    """an order that waited for this charge goes on"""
    UNEXPECTED_AND_REFUNDED = "unexpected charge, refund succeeded"
    UNEXPECTED_AND_REFUNDED_BEFORE = "unexpected charge, refunded before"
    UNEXPECTED_AND_DISPUTED = "unexpected charge, disputed"
    """the customer's bank has taken it back, so the provider would refund nothing"""
    UNEXPECTED_AND_LEFT = "unexpected charge, its refunds failed"
    """a person must give it back in another way"""


class RefundFailed(Exception):
    """Unexpected money has not been refunded yet: its event stays unhandled and is tried again."""


class NotRecordedYet(TemporarilyUnavailable):
    """A step asks the provider about this charge, or will: try again once it has recorded the answer."""


class NotFoundYet(NotRecordedYet):
    """The charge is of an attempt that a restored database has forgotten. Its order may wait for days before a step looks."""


def handle(charge_ref: str, *, kind: EventKind = EventKind.OTHER, why: str = "webhook") -> NewsOutcome:
    """Handle an event about the charge. Raises NotRecordedYet, RefundFailed, TemporarilyUnavailable.

    An event only says where to look: charge, refunds and disputes are fetched as they are now. kind: the event's. why: what the timeline says
    if the order goes on.
    """
    charge = payments().retrieve_charge(charge_ref)
    if charge.order_id is None or charge.attempt is None:
        return NewsOutcome.NOT_OURS
    refunds = payments().find_refunds(charge_ref=charge_ref) if kind is EventKind.REFUND else ()
    disputed, noted = _note_disputes(charge, charge.order_id) if charge.disputed else ((), None)
    owed = _why_owed(charge, disputed)
    with begin() as session:
        order = lock_order(session, charge.order_id)
        attempt = _attempt_for(session, charge)
        if order is None:
            return NewsOutcome.UNKNOWN_ORDER
        if attempt is None:
            return _note_unknown(session, order, charge)
        if disputed:
            disputes.require_newest(session, order.id, noted)
        refunds_elsewhere.note(session, order.id, attempt.attempt, refunds)
        _tell_what_is_owed(session, order, attempt, owed)
        _note_failed_refunds(session, order, attempt, charge, refunds, owed)
        unfunded_refunds.note(session, order.id, refunds)
        if charge.status is not ChargeStatus.SUCCEEDED or not _is_given_up(order, attempt):
            return _go_on(session, order, attempt, charge, why)
        _note_unexpected(session, order, attempt, charge)
        is_back = charge.refunded or refunded.is_refunded(session, attempt)
    if not is_back and disputes.in_the_way(disputed):
        left = refunding.left_minor(charge_ref, disputed, amount_minor=charge.amount_minor, currency=charge.currency)
        return _leave_to_bank(order, charge, disputed, left_minor=left, noted=noted)
    return _refund_unexpected(order, attempt, charge)


def _is_given_up(order: Order, attempt: ChargeAttempt) -> bool:
    """Whether the order has no use for this attempt's money: the attempt is over, or the order ended while the attempt was still under way."""
    return attempt.status in ATTEMPT_OVER or (order.status in FINAL and attempt.status in ATTEMPT_UNDER_WAY)


def _attempt_for(session: Session, charge: Charge) -> ChargeAttempt | None:
    """The attempt that the charge was made for. A second successful charge for the same attempt gets an attempt of its own, void from the start.

    While the provider remembers a key, that key cannot make two charges. Should there be two all the same, the second must be refunded.
    """
    known = session.scalar(select(ChargeAttempt).where(ChargeAttempt.ref == charge.ref))
    attempt = known or session.get(ChargeAttempt, (charge.order_id, charge.attempt))
    if attempt is None or attempt.ref in (None, charge.ref) or charge.status is not ChargeStatus.SUCCEEDED:
        return attempt
    return charge_attempts.insert_second(session, attempt, charge)


def _note_unknown(session: Session, order: Order, charge: Charge) -> NewsOutcome:
    """Report, once, a charge of an attempt that a restored database has forgotten, if the order has ended without it. Raises NotFoundYet before."""
    if charge.status is not ChargeStatus.SUCCEEDED or charge.refunded:
        return NewsOutcome.UNKNOWN_ATTEMPT
    if order.status not in FINAL:
        raise NotFoundYet(f"the order has no attempt {charge.attempt}, and may find its charge once it goes on")
    facts = {"attempt": charge.attempt, "amount_minor": charge.amount_minor}
    if timeline.note_once(session, order.id, Kind.CHARGE_UNKNOWN, facts):
        log.error("charge of an attempt that is not known", order_id=str(order.id), charge=charge.ref)
    return NewsOutcome.UNKNOWN_ATTEMPT


def _go_on(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, why: str) -> NewsOutcome:
    """Continue an order that waits for this charge; the step does the rest. Raises NotRecordedYet."""
    settled = charge.status in (ChargeStatus.SUCCEEDED, ChargeStatus.DECLINED, ChargeStatus.CANCELED)
    if not settled or attempt.ref not in (None, charge.ref):
        return NewsOutcome.NOTHING_TO_DO
    waiting = (OrderStatus.AWAITING_AUTHENTICATION,)
    if waiting_orders.reopen(session, order.id, out_of=waiting, step=Step.COLLECT_PAYMENT, why=why):
        return NewsOutcome.REOPENED
    if order.status is OrderStatus.OPEN and attempt.status in ATTEMPT_UNDER_WAY:
        raise NotRecordedYet(f"the order's step has not recorded what became of attempt {attempt.attempt}")
    return NewsOutcome.NOTHING_TO_DO


def _note_disputes(charge: Charge, order_id: UUID) -> tuple[Sequence[Dispute], int | None]:
    """Report the charge's disputes, for a person; the order does not change. A dispute has a time limit, so it is reported
    also where a restored database has forgotten the charge, or its order: an order that is not here has no timeline.

    Returns them, and the newest entry about a dispute of the order: they are out of date once there is another. Raises StepAgain if there is already.
    """
    with begin() as session:
        newest = disputes.newest_entry(session, order_id)
    found = payments().find_disputes(charge_ref=charge.ref)
    with begin() as session:
        if lock_order(session, order_id) is not None:
            attempt = _attempt_for(session, charge)
            charge_attempt = attempt.attempt if attempt is not None else charge.attempt or 0
            disputes.note(session, order_id, charge_attempt, found, newest=newest)
            return found, disputes.newest_entry(session, order_id)
    for dispute in found:
        disputes.report(order_id, dispute)
    return found, None


def _note_unexpected(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> None:
    """Record that money arrived on an attempt we had given up."""
    facts = {"attempt": attempt.attempt, "amount_minor": charge.amount_minor}
    if timeline.note_once(session, order.id, Kind.CHARGE_UNEXPECTED, facts):
        attempt.ref, attempt.settled_at = charge.ref, now()
        attempt.amount_minor, attempt.currency = charge.amount_minor, charge.currency
        if attempt.status not in ATTEMPT_OVER:
            attempt.status = AttemptStatus.VOID
        log.error("unexpected charge goes back", order_id=str(order.id), charge=charge.ref)


def _leave_to_bank(
    order: Order, charge: Charge, disputed: Sequence[Dispute], *, left_minor: int, noted: int | None
) -> NewsOutcome:
    """The bank gives unexpected money back itself. If it has decided for us, or took only a part, a person must look: the money is the customer's
    all the same, until the bank takes that as well. left_minor: what the customer has from nobody then.

    What a person was told before is called off. noted: the newest entry about a dispute of the order. Raises StepAgain if there is another since.
    """
    error, calls_person = _what_to_do(charge, disputed, left_minor=left_minor)
    with begin() as session:
        lock_order(session, order.id)
        disputes.require_newest(session, order.id, noted)
        said = _said_last(session, order, charge)
        if said.get("error") != error and (said or calls_person):
            _call_person(session, order, charge, error)
    return NewsOutcome.UNEXPECTED_AND_DISPUTED


def _what_to_do(charge: Charge, disputed: Sequence[Dispute], *, left_minor: int) -> tuple[str, bool]:
    """What a person is to do about an unexpected charge of which a dispute is in the way; whether they must be called for that."""
    dispute = disputes.one_in_the_way(disputed)
    left = f"{left_minor} {charge.currency} (minor units) of unexpected charge {charge.ref} is still the customer's"
    if dispute.status is DisputeStatus.CHARGEBACK:
        return f"{charge.ref} is disputed (dispute {dispute.ref}, not decided yet): {disputes.DO_NOT_PAY}", False
    if dispute.status is DisputeStatus.WON and left_minor:
        return f"{left}, though its dispute {dispute.ref} was won; the provider refunds it no more", True
    if dispute.status is DisputeStatus.WON:
        return (
            f"the dispute {dispute.ref} of {charge.ref} was won, and the money is back: nothing of it is owed any more",
            False,
        )
    if left_minor:
        return (
            f"{left}: the bank took only a part back (dispute {dispute.ref}, lost), and the provider refunds it no more"
        ), True
    taken = f"the customer's bank has taken {disputes.sum_taken_back(disputed)} of {charge.ref} back for good ({disputes.named(disputed)}, lost)"
    if any(each.currency != charge.currency for each in disputed if each.status in disputes.TAKEN):
        return (
            f"{taken}, which was of {charge.amount_minor} {charge.currency}: compare the sums, and pay only what that left",
            False,
        )
    return f"{taken}: nothing of it is owed any more", False


def _said_last(session: Session, order: Order, charge: Charge) -> Mapping[str, Any]:
    """The newest entry of what a person is to do about an unexpected charge; empty if there is none."""
    about = (OrderEvent.order_id == order.id, OrderEvent.kind == Kind.REFUND_REFUSED)
    said = select(OrderEvent.facts).where(*about, OrderEvent.facts.contains({"charge": charge.ref}))
    return session.scalar(said.order_by(OrderEvent.id.desc()).limit(1)) or {}


def _call_person(session: Session, order: Order, charge: Charge, error: str, **facts: int) -> None:
    timeline.note(session, order.id, Kind.REFUND_REFUSED, {"charge": charge.ref, "error": error, **facts})
    log.error("unexpected charge does not go back", order_id=str(order.id), error=error)


def _refund_unexpected(order: Order, attempt: ChargeAttempt, charge: Charge) -> NewsOutcome:
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
        _note_refused(order, attempt, charge, refund_attempt, str(refused))
        raise
    with begin() as session:
        lock_order(session, order.id)
        state = refunding.record(session, refund_attempt, answer)
    if state is RefundState.FAILED:
        raise RefundFailed(f"refund {answer.ref} of unexpected money failed: {answer.failure_reason}")
    return NewsOutcome.UNEXPECTED_AND_REFUNDED


def _note_refused(
    order: Order, attempt: ChargeAttempt, charge: Charge, refund_attempt: RefundAttempt, error: str
) -> None:
    """Call a person, unless that was the last that was said: the refusal names another request each time."""
    with begin() as session:
        lock_order(session, order.id)
        refunding.mark_refused(session, refund_attempt)
        if "attempt" not in _said_last(session, order, charge):
            _call_person(session, order, charge, error, attempt=attempt.attempt)


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
        raise RefundFailed(f"{len(failed)} refunds of unexpected money failed; the next one is not due yet")


def _why_owed(charge: Charge, disputed: Sequence[Dispute]) -> str | None:
    """What a dispute means for a refund that has failed: it may be because of the dispute, and then nobody should pay in its place."""
    if not disputed:
        return None
    return refunding.why_owed(charge.ref, disputed, amount_minor=charge.amount_minor, currency=charge.currency)


def _tell_what_is_owed(session: Session, order: Order, attempt: ChargeAttempt, owed: str | None) -> None:
    """A person is to pay what a parked order owes, and the bank has taken it since, or has decided: say what that means."""
    is_parked = order.status is OrderStatus.NEEDS_ATTENTION and order.next_step is Step.REFUND_PAYMENT
    if owed is None or not is_parked or owed in (order.last_error or ""):
        return
    if attempt.status is AttemptStatus.SUCCEEDED and not refunded.is_refunded(session, attempt):
        attention.say_instead(order, error=f"{Step.REFUND_PAYMENT}: {owed}")


def _note_failed_refunds(
    session: Session,
    order: Order,
    attempt: ChargeAttempt,
    charge: Charge,
    refunds: Sequence[Refund],
    owed: str | None,
) -> None:
    """Record that an accepted refund failed later (the card's account is closed, say): a person must look.

    This overrides a step that still acts on the older answer. Unexpected money needs no person: it is refunded again. Raises StepAgain if
    the charge is disputed since it was looked up.
    """
    for refund in refunds:
        if refund.status is not RefundStatus.FAILED or not refunding.mark_failed_later(session, attempt, refund):
            continue
        error = f"refund {refund.ref} failed after the provider had accepted it: {refund.failure_reason}"
        if owed is not None:
            error = f"{error}. But {owed}"
        elif not charge.disputed and disputed_charges.was_taken_back(session, order.id):
            raise StepAgain("the charge was taken back meanwhile; asking for its disputes")
        log.error("refund failed", order_id=str(order.id), refund=refund.ref)
        timeline.note(session, order.id, Kind.REFUND_FAILED, {"error": error})
        if attempt.status is AttemptStatus.SUCCEEDED:
            attention.park_refunded(session, order.id, error=error)
