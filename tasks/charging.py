"""The charge of an order, attempt by attempt: what to ask the provider next, and what its answer means.

An attempt is committed with its key before the provider hears of it. While one is not settled no other begins (a unique index
sees to it); a declined, cancelled or void one is over, and the next is a new number with a new key.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from models import in_hand, lease, progress
from models.accounts import PaymentMethod, PaymentMethodStatus
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import ATTEMPT_OVER, AttemptStatus, OrderStatus, Step
from tasks import cancellation
from tasks.errors import Misconfigured
from tasks.ports import Charge, ChargeRequest, ChargeStatus
from tasks.step import Outcome, done
from tasks.wiring import now, policy

POLL_AUTHENTICATION = timedelta(seconds=20)
"""how long the webhook has before the sweep asks the provider itself; each time it asks again a quarter later"""
POLL_AT_LEAST = timedelta(hours=1)


class Move(Enum):
    """What to ask the provider about an attempt."""

    CHARGE = auto()
    """create and confirm under its key; again under the same key is safe"""
    RETRIEVE = auto()
    CANCEL = auto()
    FIND = auto()
    """its key may be forgotten by now: look it up by metadata before anything new is made"""


@dataclass(frozen=True, slots=True)
class Plan:
    move: Move
    attempt: ChargeAttempt
    request: ChargeRequest


_LIVE = (
    select(ChargeAttempt)
    .where(ChargeAttempt.order_id == bindparam("of"), ChargeAttempt.status.not_in(ATTEMPT_OVER))
    .execution_options(populate_existing=True)
)
_LAST = select(func.max(ChargeAttempt.attempt)).where(ChargeAttempt.order_id == bindparam("of"))
_METHOD = select(PaymentMethod).where(PaymentMethod.id == bindparam("method"))


def live_attempt(session: Session, order_id: UUID) -> ChargeAttempt | None:
    """The attempt that has taken, or may yet take, the money."""
    return session.scalar(_LIVE, {"of": order_id})


def plan(session: Session, order: Order, attempt: ChargeAttempt) -> Plan:
    """What to do about an attempt that is not settled."""
    request = _request(session, order, attempt)
    if order.cancel_requested_at is not None:
        return Plan(Move.CANCEL if attempt.ref else Move.FIND, attempt, request)
    if attempt.ref is not None:
        return Plan(Move.RETRIEVE, attempt, request)
    if attempt.created_at < now() - policy().charge_key_lifetime:
        return Plan(Move.FIND, attempt, request)
    if attempt.asked_at != now():
        attempt.asked_at = now()
        session.flush()
    return Plan(Move.CHARGE, attempt, request)


def new_attempt(session: Session, order: Order, method: PaymentMethod) -> ChargeAttempt:
    """Commit this, then ask the provider."""
    last = session.scalar(_LAST, {"of": order.id}) or 0
    attempt = ChargeAttempt(
        order_id=order.id,
        attempt=last + 1,
        key=f"order:{order.id}:charge:{last + 1}",
        amount_minor=order.due_minor,
        currency=order.currency,
        payment_method_id=method.id,
        status=AttemptStatus.PENDING,
        created_at=now(),
        asked_at=now(),
    )
    session.add(attempt)
    session.flush()
    progress.note(session, order.id, "charge.attempted", {"attempt": attempt.attempt, "amount_minor": order.due_minor})
    return attempt


def void(session: Session, order: Order, attempt: ChargeAttempt) -> None:
    """The provider has no charge of this attempt, and no request for it is under way any more. Raises LeaseLost.

    Should money arrive on it all the same, the webhook finds it and gives it back.
    """
    lease.still_ours(session, order)
    _settle(session, attempt, AttemptStatus.VOID)


def refused(session: Session, order: Order, attempt: ChargeAttempt, code: str, this: Step) -> Outcome:
    """The provider takes no such charge from anybody (its amount is below the minimum, say): the order ends. Raises LeaseLost."""
    void(session, order, attempt)
    progress.stop(session, order, this, OrderStatus.REJECTED, reason=code.replace("_", "-") or "payment-refused")
    return Outcome.STOPPED


def record(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, this: Step) -> Outcome:
    """Write down what the provider says of an attempt, with all that follows for the order. Raises LeaseLost, Misconfigured."""
    lease.still_ours(session, order)
    cancelled = order.cancel_requested_at is not None
    if charge.status is not ChargeStatus.DECLINED and (charge.amount_minor, charge.currency) != (
        attempt.amount_minor,
        attempt.currency,
    ):
        raise Misconfigured(
            f"charge {charge.ref} is of {charge.amount_minor} {charge.currency}, "
            f"attempt {attempt.key} of {attempt.amount_minor} {attempt.currency}"
        )
    _settle(session, attempt, AttemptStatus(charge.status.value), charge)
    match charge.status:
        case ChargeStatus.SUCCEEDED if cancelled:
            return turn_back(session, order, this, cancellation.REASON)
        case ChargeStatus.SUCCEEDED:
            return done(session, order, this, facts={"charged_minor": charge.amount_minor})
        case ChargeStatus.REQUIRES_ACTION:
            return _await_authentication(session, order, attempt, charge, this, cancelled=cancelled)
        case ChargeStatus.PROCESSING:
            progress.postpone(
                session, order.id, this, order.lease_token, delay=POLL_AUTHENTICATION, error="processing", waits=True
            )
            return Outcome.POSTPONED
        case ChargeStatus.DECLINED | ChargeStatus.CANCELED:
            return _not_taken(session, order, attempt, charge, this, cancelled=cancelled)


def turn_back(session: Session, order: Order, this: Step, reason: str) -> Outcome:
    """The order cannot go on though it may have been charged: refund, tell the customer, end."""
    progress.turn_back(session, order, this, reason)
    return Outcome.TURNED_BACK


def _await_authentication(
    session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, this: Step, *, cancelled: bool
) -> Outcome:
    waited = now() - attempt.created_at
    progress.stop(
        session,
        order,
        this,
        OrderStatus.AWAITING_AUTHENTICATION,
        for_customer_only={"action_url": charge.action_url},
        wake_in=min(max(POLL_AUTHENTICATION, waited / 4), POLL_AT_LEAST),
    )
    if cancelled:
        waiting = (OrderStatus.AWAITING_AUTHENTICATION,)
        progress.reopen(session, order.id, waiting_in=waiting, step=this, why="cancel")
    return Outcome.STOPPED


def _not_taken(
    session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, this: Step, *, cancelled: bool
) -> Outcome:
    if cancelled:
        progress.stop(session, order, this, OrderStatus.CANCELLED, reason=cancellation.REASON)
        return Outcome.STOPPED
    code = charge.decline_code or charge.status.value
    if charge.status is ChargeStatus.DECLINED:
        session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.id == attempt.payment_method_id, PaymentMethod.status == PaymentMethodStatus.USABLE)
            .values(status=PaymentMethodStatus.DECLINED)
        )
    facts = {"decline_code": code, "attempt": attempt.attempt}
    progress.stop(
        session,
        order,
        this,
        OrderStatus.PAYMENT_DECLINED,
        reason="payment-declined",
        facts=facts,
        wake_in=policy().waiting_lifetime,
    )
    return Outcome.STOPPED


def _settle(session: Session, attempt: ChargeAttempt, status: AttemptStatus, charge: Charge | None = None) -> None:
    values: dict[str, object] = {"status": status}
    if charge is not None:
        values |= {
            "ref": charge.ref or attempt.ref,
            "decline_code": charge.decline_code,
            "action_url": charge.action_url,
        }
    if status not in (AttemptStatus.PENDING, AttemptStatus.REQUIRES_ACTION, AttemptStatus.PROCESSING):
        values["settled_at"] = func.clock_timestamp()
    where = (ChargeAttempt.order_id == attempt.order_id, ChargeAttempt.attempt == attempt.attempt)
    session.execute(update(ChargeAttempt).where(*where).values(**values))


def _request(session: Session, order: Order, attempt: ChargeAttempt) -> ChargeRequest:
    method = session.scalars(_METHOD, {"method": attempt.payment_method_id}).one()
    account = in_hand.account(session, order)
    return ChargeRequest(
        order_id=order.id,
        attempt=attempt.attempt,
        key=attempt.key,
        customer_ref=account.customer_ref or "",
        payment_method_ref=method.ref,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        description=f"Order {order.number}",
    )
