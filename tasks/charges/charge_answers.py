"""What the provider's answer about a charge attempt means for its order: done, declined, to be authenticated, on the way back."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import lease, waiting_orders
from models.accounts import PaymentMethod, PaymentMethodStatus
from models.ending import Ending
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import REFUNDED_BEFORE, AttemptStatus, OrderStatus, Step
from tasks import cancellation
from tasks.charges import charge_attempts, outdated_charges
from tasks.charges.authentication_time import FIRST_LOOK, authentication_expired, known_too_late, next_look
from tasks.errors import Misconfigured
from tasks.ports import Charge, ChargeStatus
from tasks.refunds import contested, disputes
from tasks.running.outcome import Outcome
from tasks.step import done, stop, turn_back, wait
from tasks.wiring import begin, carry, outside, payments, policy


def act_on(order: Order, attempt: ChargeAttempt, charge: Charge) -> Outcome:
    """Record the answer, and move the order on accordingly. Raises LeaseLost, Misconfigured, TemporarilyUnavailable, StepAgain.

    After a restore from a backup it may be of an old charge: one that was disputed since, or that took another amount than is due now.
    """
    if charge.disputed:
        _note_disputes(order, attempt, charge)
    if outdated_charges.is_outdated(order, charge):
        return outdated_charges.refund_and_void(order, attempt, charge)
    with carry() as session:
        return record(session, order, attempt, charge)


def record(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> Outcome:
    """Record the provider's answer about an attempt, and move the order on accordingly. Raises LeaseLost, Misconfigured.

    A charge that took another amount than is due is none for this function (see `outdated_charges`).
    """
    may_be_taken = charge.status in (ChargeStatus.SUCCEEDED, ChargeStatus.REQUIRES_ACTION)
    if may_be_taken and (charge.amount_minor, charge.currency) != (attempt.amount_minor, attempt.currency):
        raise Misconfigured(
            f"charge {charge.ref} is of {format_amount(charge.amount_minor, charge.currency)}, "
            f"attempt {attempt.key} of {format_amount(attempt.amount_minor, attempt.currency)}"
        )
    expired, too_late = authentication_expired(attempt), known_too_late(attempt)  # as we knew it before this answer
    charge_attempts.settle(session, order, attempt, AttemptStatus(charge.status.value), charge)
    cancelled = order.cancel_requested_at is not None
    match charge.status:
        case ChargeStatus.SUCCEEDED if cancelled:
            return turn_back(session, order, cancellation.reason(session, order))
        case ChargeStatus.SUCCEEDED if too_late:
            return turn_back(session, order, cancellation.UNANSWERED)
        case ChargeStatus.SUCCEEDED if charge.refunded:
            return turn_back(session, order, REFUNDED_BEFORE)
        case ChargeStatus.SUCCEEDED:
            return done(session, order, facts={"charged_minor": charge.amount_minor})
        case ChargeStatus.REQUIRES_ACTION:
            return _await_authentication(session, order, attempt, charge, cancelled=cancelled)
        case ChargeStatus.PROCESSING:
            return wait(session, order, Step.COLLECT_PAYMENT, FIRST_LOOK, why="processing")
        case ChargeStatus.DECLINED | ChargeStatus.CANCELED:
            return _not_taken(session, order, attempt, charge, cancelled=cancelled, expired=expired)
        case ChargeStatus.UNTRIED:
            raise AssertionError(f"charge {charge.ref} is no answer yet")


def _await_authentication(
    session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, *, cancelled: bool
) -> Outcome:
    waits = Ending(
        OrderStatus.AWAITING_AUTHENTICATION,
        private_facts={"action_url": charge.action_url},
        wake_in=next_look(attempt),
    )
    outcome = stop(session, order, waits)
    if cancelled:
        waiting_orders.look_at_payment(session, order.id, why="cancel")
    return outcome


def _not_taken(
    session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, *, cancelled: bool, expired: bool
) -> Outcome:
    if cancelled:
        return stop(session, order, Ending(OrderStatus.CANCELLED, reason=cancellation.reason(session, order)))
    if charge.status is ChargeStatus.CANCELED and expired:
        return stop(session, order, Ending(OrderStatus.CANCELLED, reason=cancellation.UNANSWERED))
    code = charge.decline_code or charge.status.value
    if charge.status is ChargeStatus.DECLINED:
        session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.id == attempt.payment_method_id, PaymentMethod.status == PaymentMethodStatus.USABLE)
            .values(status=PaymentMethodStatus.DECLINED)
        )
    declined = Ending(
        OrderStatus.PAYMENT_DECLINED,
        reason="payment-declined",
        facts={"decline_code": code, "attempt": attempt.attempt},
        wake_in=policy().waiting_lifetime,
    )
    return stop(session, order, declined)


def record_refusal(session: Session, order: Order, attempt: ChargeAttempt, code: str) -> Outcome:
    """End the order: the provider refuses the charge whatever the card (its amount is below the minimum, say). Raises LeaseLost."""
    charge_attempts.void(session, order, attempt)
    rejected = Ending(OrderStatus.REJECTED, reason=code.replace("_", "-") or "payment-refused")
    return stop(session, order, rejected)


def _note_disputes(order: Order, attempt: ChargeAttempt, charge: Charge) -> None:
    """A disputed charge is an old one that a restored database had forgotten, with its disputes: the provider tells of them only once. Raises LeaseLost, StepAgain."""
    with begin() as session:
        newest = disputes.newest_entry(session, order.id)
    with outside():
        found = payments().find_disputes(charge_ref=charge.ref)
    with begin() as session:
        lease.require_ours(session, order)
        found = contested.whole_if_lost_anew(session, order.id, found)
        disputes.note(session, order.id, attempt.attempt, found, newest=newest)
