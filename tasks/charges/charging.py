"""The charge of an order, attempt by attempt: what to ask the provider next, and what its answer means.

An attempt is committed with its key before the provider is asked. While one attempt is unsettled no other begins (a unique index
enforces that). A declined, cancelled or void attempt is over; the next one has a new number and a new key.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import update
from sqlalchemy.orm import Session

from models import waiting_orders
from models.accounts import PaymentMethod, PaymentMethodStatus
from models.ending import Ending
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import REFUNDED_BEFORE, AttemptStatus, OrderStatus, Step
from tasks import cancellation
from tasks.charges import charge_attempts
from tasks.charges.authentication_time import FIRST_LOOK, authentication_expired, known_too_late, next_look
from tasks.charges.charge_attempts import Standing
from tasks.errors import Misconfigured
from tasks.ports import Charge, ChargeRequest, ChargeStatus
from tasks.running.outcome import Outcome
from tasks.step import done, stop, turn_back, wait
from tasks.wiring import now, policy


class Move(Enum):
    """What to ask the provider about an attempt."""

    CHARGE = auto()
    """create and confirm under its key; safe to repeat under the same key"""
    RETRIEVE = auto()
    LAST_LOOK = auto()
    """retrieve, and cancel where it still waits for the customer"""
    CANCEL = auto()
    FIND = auto()
    """its key may be forgotten by now: look it up by metadata before anything new is made"""
    FIND_OR_CHARGE = auto()
    """the order is older than any key that the provider still knows. If the database was restored from a backup, the order may have been
    charged already, so search by metadata first"""


@dataclass(frozen=True, slots=True)
class Plan:
    move: Move
    attempt: ChargeAttempt
    request: ChargeRequest
    last_asked: datetime
    """when the provider was last asked to make this charge, before this plan"""


def plan_and_mark(session: Session, order: Order, attempt: ChargeAttempt, standing: Standing) -> Plan:
    """Decide what to ask the provider about an unsettled attempt. Raises Misconfigured.

    A charge to be made is marked as asked: commit before asking.
    """
    request, last_asked = _request(order, attempt, standing), attempt.asked_at or attempt.created_at
    move = _move(order, attempt)
    if move in (Move.CHARGE, Move.FIND_OR_CHARGE):
        charge_attempts.mark_asked(session, attempt, now())
    return Plan(move, attempt, request, last_asked)


def _move(order: Order, attempt: ChargeAttempt) -> Move:
    if order.cancel_requested_at is not None:
        return Move.CANCEL if attempt.ref else Move.FIND
    if attempt.ref is not None:
        return Move.LAST_LOOK if authentication_expired(attempt) else Move.RETRIEVE
    keys_known_since = now() - policy().charge_key_lifetime
    if attempt.created_at < keys_known_since:
        return Move.FIND
    return Move.FIND_OR_CHARGE if order.created_at < keys_known_since else Move.CHARGE


def record_refusal(session: Session, order: Order, attempt: ChargeAttempt, code: str) -> Outcome:
    """End the order: the provider refuses the charge whatever the card (its amount is below the minimum, say). Raises LeaseLost."""
    charge_attempts.void(session, order, attempt)
    rejected = Ending(OrderStatus.REJECTED, reason=code.replace("_", "-") or "payment-refused")
    return stop(session, order, rejected)


def record(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> Outcome:
    """Record the provider's answer about an attempt, and move the order on accordingly. Raises LeaseLost, Misconfigured.

    A charge that took another amount than is due is none for this function (see `outdated_charges`).
    """
    may_be_taken = charge.status in (ChargeStatus.SUCCEEDED, ChargeStatus.REQUIRES_ACTION)
    if may_be_taken and (charge.amount_minor, charge.currency) != (attempt.amount_minor, attempt.currency):
        raise Misconfigured(
            f"charge {charge.ref} is of {charge.amount_minor} {charge.currency}, "
            f"attempt {attempt.key} of {attempt.amount_minor} {attempt.currency}"
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


def _request(order: Order, attempt: ChargeAttempt, standing: Standing) -> ChargeRequest:
    method, customer_ref = standing.method, standing.customer_ref
    if method is None or customer_ref is None:
        raise Misconfigured(f"attempt {attempt.key} is of an account that the provider has no customer for")
    return ChargeRequest(
        order_id=order.id,
        attempt=attempt.attempt,
        key=attempt.key,
        customer_ref=customer_ref,
        payment_method_ref=method.ref,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        description=f"Order {order.number}",
    )
