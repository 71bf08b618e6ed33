"""Acts on what the provider says of a charge now: continues a waiting order, has unexpected money returned, or alerts a person.

A webhook is one reason to ask; without one, our own looks for a charge ask too (`payment_authentication`, `late_charges`, `forgotten_attempts`).
"""

from collections.abc import Sequence
from contextlib import nullcontext
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from models import attention, disputed_charges, timeline, waiting_orders
from models.order_lock import lock_order
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import ATTEMPT_UNDER_WAY, FINAL, AttemptStatus, OrderStatus, Step
from models.timeline_kinds import Kind
from tasks.charges import charge_attempts, unexpected_money
from tasks.charges.news_outcome import NewsOutcome
from tasks.errors import StepAgain, TemporarilyUnavailable
from tasks.ports import Charge, ChargeStatus, Dispute, EventKind, Refund, RefundStatus
from tasks.refunds import (
    contested,
    disputes,
    fallen_short,
    parked_notices,
    refunded,
    refunding,
    refunds_elsewhere,
    unfunded_refunds,
)
from tasks.wiring import begin, payments

log = structlog.get_logger(__name__)


class NotRecordedYet(TemporarilyUnavailable):
    """A step asks the provider about this charge, or will: try again once it has recorded the answer."""


class NotFoundYet(NotRecordedYet):
    """The charge is of an attempt that a restored database has forgotten. Its order may wait for days before a step looks."""


def handle(charge_ref: str, *, kind: EventKind = EventKind.OTHER, why: str = "webhook") -> NewsOutcome:
    """Look at the charge, and act on what is found: charge, refunds and disputes are fetched as they are now, as an event only says where to look.

    kind: the event's, if there is one. why: what the timeline says if the order goes on. Raises NotRecordedYet, StepAgain (more news came meanwhile),
    RefundFailed, RefundRefused (a person was called); TemporarilyUnavailable, Misconfigured, Refused: the provider could not be asked.
    """
    charge = payments().retrieve_charge(charge_ref)
    if charge.order_id is None or charge.attempt is None:
        return NewsOutcome.NOT_OURS
    refunds = payments().find_refunds(charge_ref=charge_ref) if kind is EventKind.REFUND else ()
    disputed, noted = _note_disputes(charge, charge.order_id) if charge.disputed else ((), None)
    owed = refunding.why_owed(charge_ref, disputed, amount_minor=charge.amount_minor, currency=charge.currency)
    with begin() as session:
        order = lock_order(session, charge.order_id)
        attempt = charge_attempts.made_for(session, charge)
        if order is None:
            return NewsOutcome.UNKNOWN_ORDER
        if attempt is None:
            return _note_unknown(session, order, charge)
        if disputed:
            disputes.require_newest(session, order.id, noted)
        with fallen_short.reported(session, order, attempt):
            refunds_elsewhere.note(session, order.id, attempt.attempt, refunds)
        parked_notices.say_anew(session, order)
        _tell_what_is_owed(session, order, attempt, owed)
        _note_failed_refunds(session, order, attempt, charge, refunds, owed)
        unfunded_refunds.note(session, order.id, refunds)
        if charge.status is not ChargeStatus.SUCCEEDED or not unexpected_money.is_given_up(order, attempt):
            return _go_on(session, order, attempt, charge, why)
        unexpected_money.record(session, order, attempt, charge)
        is_back = charge.refunded or refunded.is_refunded(session, attempt)
        may_differ = not is_back or refunded.paid_minor(session, attempt) is not None  # the bank has gone on since
    if may_differ and disputes.in_the_way(disputed):
        return unexpected_money.leave_to_bank(order, attempt, charge, disputed, noted=noted)
    return unexpected_money.refund(order, attempt, charge)


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
    if waiting_orders.look_at_payment(session, order.id, why=why):
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
        order = lock_order(session, order_id)
        if order is not None:
            attempt = charge_attempts.made_for(session, charge)
            charge_attempt = attempt.attempt if attempt is not None else charge.attempt or 0
            found = contested.whole_if_lost_anew(session, order_id, found)
            with nullcontext() if attempt is None else fallen_short.reported(session, order, attempt):
                disputes.note(session, order_id, charge_attempt, found, newest=newest)
            parked_notices.say_anew(session, order)
            return found, disputes.newest_entry(session, order_id)
    for dispute in found:
        disputes.report(order_id, dispute)
    return found, None


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
