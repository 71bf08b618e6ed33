"""The charge of an order, attempt by attempt: what to ask the provider next, and what its answer means.

An attempt is committed with its key before the provider hears of it. While one is not settled no other begins (a unique index
sees to it); a declined, cancelled or void one is over, and the next is a new number with a new key.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, bindparam, func, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import lease, progress
from models.accounts import Account, PaymentMethod, PaymentMethodStatus
from models.orders import Order
from models.payments import ChargeAttempt
from models.prepared import Prepared
from models.states import ATTEMPT_OVER, AttemptStatus, OrderStatus, PaymentKind, Step
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


_LIVE = Prepared[ChargeAttempt](
    select(ChargeAttempt).where(
        ChargeAttempt.order_id == bindparam("of"), *(ChargeAttempt.status != over for over in ATTEMPT_OVER)
    ),
    ChargeAttempt,
)
_ASKED = Prepared[()](
    update(ChargeAttempt)
    .where(ChargeAttempt.order_id == bindparam("of"), ChargeAttempt.attempt == bindparam("number"))
    .values(asked_at=bindparam("at"))
)
_METHOD = Prepared[str, str | None](
    select(PaymentMethod.ref, Account.customer_ref)
    .join(Account, Account.id == PaymentMethod.account_id)
    .where(PaymentMethod.id == bindparam("method"))
)


def live_attempt(session: Session, order_id: UUID) -> ChargeAttempt | None:
    """The attempt that has taken, or may yet take, the money."""
    return _LIVE.scalar(session, {"of": order_id})


def plan(session: Session, order: Order, attempt: ChargeAttempt) -> Plan:
    """What to do about an attempt that is not settled."""
    request = _request(session, order, attempt)
    if order.cancel_requested_at is not None:
        return Plan(Move.CANCEL if attempt.ref else Move.FIND, attempt, request)
    if attempt.ref is not None:
        return Plan(Move.RETRIEVE, attempt, request)
    if attempt.created_at < now() - policy().charge_key_lifetime:
        return Plan(Move.FIND, attempt, request)
    if attempt.asked_at != (at := now()):
        _ASKED.run(session, {"of": attempt.order_id, "number": attempt.attempt, "at": at})
        set_committed_value(attempt, "asked_at", at)
    return Plan(Move.CHARGE, attempt, request)


def new_attempt(session: Session, order: Order, method: PaymentMethod) -> ChargeAttempt:
    """The order's next try, by card; its number makes its key. Commit this, then ask the provider."""
    at = now()
    values = {"amount_minor": order.due_minor, "currency": order.currency, "payment_method_id": method.id}
    attempt, key = _BEGIN.one(session, {"order_id": order.id, **values, "at": at})
    set_committed_value(order, "payment_kind", PaymentKind.CARD)
    return ChargeAttempt(
        order_id=order.id,
        attempt=attempt,
        key=key,
        status=AttemptStatus.PENDING,
        created_at=at,
        asked_at=at,
        **values,
    )


_BEGIN = Prepared[int, str](
    text("""
    WITH begun AS (
        INSERT INTO charge_attempts
            (order_id, attempt, key, amount_minor, currency, payment_method_id, status, created_at, asked_at)
        SELECT :order_id, number, 'order:' || CAST(:order_id AS text) || ':charge:' || number,
            :amount_minor, :currency, :payment_method_id, 'pending', :at, :at
        FROM (SELECT coalesce(max(attempt), 0) + 1 AS number FROM charge_attempts WHERE order_id = :order_id) AS next
        RETURNING attempt, key
    ),
    paid AS (UPDATE orders SET payment_kind = 'card', payment_due_at = NULL WHERE id = :order_id),
    noted AS (
        INSERT INTO order_events (order_id, kind, facts)
        SELECT :order_id, 'charge.attempted', jsonb_build_object('attempt', attempt, 'amount_minor', :amount_minor) FROM begun
    )
    SELECT attempt, key FROM begun
""").bindparams(bindparam("order_id", type_=Uuid), bindparam("amount_minor", type_=BigInteger))
)
"""one round trip in place of four, on the way of every order that is charged"""


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
    method_ref, customer_ref = _METHOD.one(session, {"method": attempt.payment_method_id})
    if customer_ref is None:
        raise Misconfigured(f"payment method {method_ref} belongs to an account that the provider has no customer for")
    return ChargeRequest(
        order_id=order.id,
        attempt=attempt.attempt,
        key=attempt.key,
        customer_ref=customer_ref,
        payment_method_ref=method_ref,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        description=f"Order {order.number}",
    )
