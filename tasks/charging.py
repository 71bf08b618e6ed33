"""The charge of an order, attempt by attempt: what to ask the provider next, and what its answer means.

An attempt is committed with its key before the provider hears of it. While one is not settled no other begins (a unique index
sees to it); a declined, cancelled or void one is over, and the next is a new number with a new key.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Uuid, and_, bindparam, case, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import lease, progress, step_ends
from models.accounts import Account, PaymentMethod, PaymentMethodStatus
from models.orders import Order
from models.payments import ChargeAttempt
from models.prepared import Prepared
from models.states import ATTEMPT_OVER, ATTEMPT_UNDER_WAY, AttemptStatus, OrderStatus, PaymentKind, Step
from tasks import cancellation
from tasks.errors import Misconfigured
from tasks.ports import Charge, ChargeRequest, ChargeStatus
from tasks.step import Outcome, done
from tasks.wiring import now, policy

FIRST_LOOK = timedelta(seconds=20)
"""how long the webhook has before the sweep asks the provider itself; each time it asks again a quarter later"""
LONGEST_WAIT = timedelta(hours=1)
TOO_LATE = timedelta(days=1)
"""how long after its time a payment that turns out to be authenticated is still taken: until then it is we who kept the order waiting"""


class Move(Enum):
    """What to ask the provider about an attempt."""

    CHARGE = auto()
    """create and confirm under its key; again under the same key is safe"""
    RETRIEVE = auto()
    LAST_LOOK = auto()
    """retrieve, and cancel where it still waits for the customer"""
    CANCEL = auto()
    FIND = auto()
    """its key may be forgotten by now: look it up by metadata before anything new is made"""


@dataclass(frozen=True, slots=True)
class Plan:
    move: Move
    attempt: ChargeAttempt
    request: ChargeRequest


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order stands with the provider before it is asked anything."""

    attempt: ChargeAttempt | None
    """the one that has taken, or may yet take, the money"""
    method: PaymentMethod | None
    """the attempt's; where there is none, the one that a new attempt would go to"""
    customer_ref: str | None


_IS_LIVE = (ChargeAttempt.order_id == bindparam("of"), *(ChargeAttempt.status != over for over in ATTEMPT_OVER))
_LIVE = Prepared[ChargeAttempt](select(ChargeAttempt).where(*_IS_LIVE), ChargeAttempt)
_GOES_TO = case(
    (ChargeAttempt.order_id.is_not(None), PaymentMethod.id == ChargeAttempt.payment_method_id),
    else_=PaymentMethod.status == PaymentMethodStatus.USABLE,
)
_STANDING = Prepared[ChargeAttempt | None, PaymentMethod | None, str | None](
    select(ChargeAttempt, PaymentMethod, Account.customer_ref)
    .select_from(Account)
    .outerjoin(ChargeAttempt, and_(*_IS_LIVE))
    .outerjoin(PaymentMethod, and_(PaymentMethod.account_id == Account.id, _GOES_TO))
    .where(Account.id == bindparam("account")),
    ChargeAttempt,
    PaymentMethod,
)
_ASKED = Prepared[()](
    update(ChargeAttempt)
    .where(ChargeAttempt.order_id == bindparam("of"), ChargeAttempt.attempt == bindparam("number"))
    .values(asked_at=bindparam("at"))
)


def live_attempt(session: Session, order_id: UUID) -> ChargeAttempt | None:
    """The attempt that has taken, or may yet take, the money."""
    return _LIVE.scalar(session, {"of": order_id})


def standing(session: Session, order: Order) -> Standing:
    """Read it; under the order's lock, or it may be another a moment later."""
    return Standing(*_STANDING.one(session, {"of": order.id, "account": order.account_id}))


def plan(session: Session, order: Order, attempt: ChargeAttempt, standing: Standing) -> Plan:
    """What to do about an attempt that is not settled. Raises Misconfigured."""
    request = _request(order, attempt, standing)
    if order.cancel_requested_at is not None:
        return Plan(Move.CANCEL if attempt.ref else Move.FIND, attempt, request)
    if attempt.ref is not None:
        return Plan(Move.LAST_LOOK if _unanswered(attempt) else Move.RETRIEVE, attempt, request)
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
    asked = {"order_id": order.id, **values, "at": at}
    if (ends := step_ends.of(session, order.id)) is None:
        begun = _BEGIN.one_or_none(session, asked)
    else:
        begun = _END_AND_BEGIN.one_or_none(session, asked | ends)
    if begun is None:
        raise lease.LeaseLost(order.id)
    attempt, key = begun
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


_BEGUN = """
    begun AS (
        INSERT INTO charge_attempts
            (order_id, attempt, key, amount_minor, currency, payment_method_id, status, created_at, asked_at)
        SELECT id, number, 'order:' || CAST(id AS text) || ':charge:' || number,
            :amount_minor, :currency, :payment_method_id, 'pending', :at, :at
        FROM moved, (SELECT coalesce(max(attempt), 0) + 1 AS number FROM charge_attempts WHERE order_id = :order_id) AS next
        RETURNING order_id, attempt, key
    )
"""
_BY_CARD = "payment_kind = 'card', payment_due_at = NULL"
_ATTEMPTED = """
    SELECT order_id, 'charge.attempted', jsonb_build_object('attempt', attempt, 'amount_minor', :amount_minor) FROM begun
"""
_AMOUNT = bindparam("amount_minor", type_=BigInteger)
_BEGIN = Prepared[int, str](
    text(f"""
    WITH moved AS (UPDATE orders SET {_BY_CARD} WHERE id = :order_id RETURNING id),
    {_BEGUN},
    noted AS (INSERT INTO order_events (order_id, kind, facts) {_ATTEMPTED})
    SELECT attempt, key FROM begun
""").bindparams(bindparam("order_id", type_=Uuid), _AMOUNT)  # noqa: S608 - put together from constants
)
"""one round trip in place of four, on the way of every order that is charged"""
_END_AND_BEGIN = Prepared[int, str](
    step_ends.typed(f"""
    WITH {step_ends.moved(also=f", {_BY_CARD}", begun=_BEGUN, then_noted=_ATTEMPTED)}
    SELECT attempt, key FROM begun
""").bindparams(_AMOUNT)  # noqa: S608
)
"""the same, with the ends of the steps before it"""


def void(session: Session, order: Order, attempt: ChargeAttempt) -> None:
    """The provider has no charge of this attempt, and no request for it is under way any more. Raises LeaseLost.

    Should money arrive on it all the same, the webhook finds it and gives it back.
    """
    _settle(session, order, attempt, AttemptStatus.VOID)


def refused(session: Session, order: Order, attempt: ChargeAttempt, code: str, this: Step) -> Outcome:
    """The provider takes no such charge from anybody (its amount is below the minimum, say): the order ends. Raises LeaseLost."""
    void(session, order, attempt)
    progress.stop(session, order, this, OrderStatus.REJECTED, reason=code.replace("_", "-") or "payment-refused")
    return Outcome.STOPPED


def record(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, this: Step) -> Outcome:
    """Write down what the provider says of an attempt, with all that follows for the order. Raises LeaseLost, Misconfigured."""
    if charge.status is not ChargeStatus.DECLINED and (charge.amount_minor, charge.currency) != (
        attempt.amount_minor,
        attempt.currency,
    ):
        raise Misconfigured(
            f"charge {charge.ref} is of {charge.amount_minor} {charge.currency}, "
            f"attempt {attempt.key} of {attempt.amount_minor} {attempt.currency}"
        )
    _settle(session, order, attempt, AttemptStatus(charge.status.value), charge)
    cancelled = order.cancel_requested_at is not None
    match charge.status:
        case ChargeStatus.SUCCEEDED if cancelled:
            return turn_back(session, order, this, cancellation.reason(session, order))
        case ChargeStatus.SUCCEEDED if _unanswered(attempt) and _left(attempt) < -TOO_LATE:
            return turn_back(session, order, this, cancellation.UNANSWERED)
        case ChargeStatus.SUCCEEDED:
            return done(session, order, this, facts={"charged_minor": charge.amount_minor})
        case ChargeStatus.REQUIRES_ACTION:
            return _await_authentication(session, order, attempt, charge, this, cancelled=cancelled)
        case ChargeStatus.PROCESSING:
            progress.postpone(
                session, order.id, this, order.lease_token, delay=FIRST_LOOK, error="processing", waits=True
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
        wake_in=min(max(FIRST_LOOK, waited / 4), LONGEST_WAIT, max(_left(attempt), timedelta(0))),
    )
    if cancelled:
        waiting = (OrderStatus.AWAITING_AUTHENTICATION,)
        progress.reopen(session, order.id, waiting_in=waiting, step=this, why="cancel")
    return Outcome.STOPPED


def _unanswered(attempt: ChargeAttempt) -> bool:
    """Whether the customer has not authenticated it, as far as we knew, and has no time left to."""
    return attempt.status is AttemptStatus.REQUIRES_ACTION and _left(attempt) <= timedelta(0)


def _left(attempt: ChargeAttempt) -> timedelta:
    """How long the customer still has to authenticate it; negative where that is over. Not for ever: the period that it pays for has begun."""
    return (attempt.asked_at or attempt.created_at) + policy().authentication_lifetime - now()


def _not_taken(
    session: Session, order: Order, attempt: ChargeAttempt, charge: Charge, this: Step, *, cancelled: bool
) -> Outcome:
    if cancelled:
        progress.stop(session, order, this, OrderStatus.CANCELLED, reason=cancellation.reason(session, order))
        return Outcome.STOPPED
    if charge.status is ChargeStatus.CANCELED and _unanswered(attempt):
        progress.stop(session, order, this, OrderStatus.CANCELLED, reason=cancellation.UNANSWERED)
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


_SETTLE = Prepared[datetime | None](
    text("""
    WITH ours AS (
        SELECT id, cancel_requested_at FROM orders
        WHERE id = :order_id AND lease_token = :token AND next_step = :step FOR UPDATE
    ),
    settled AS (
        UPDATE charge_attempts SET
            status = :status, ref = :ref, decline_code = :decline_code, action_url = :action_url,
            settled_at = CASE WHEN :is_over THEN clock_timestamp() ELSE settled_at END
        FROM ours WHERE order_id = id AND attempt = :attempt
    )
    SELECT cancel_requested_at FROM ours
""").bindparams(bindparam("order_id", type_=Uuid), bindparam("token", type_=Uuid), bindparam("is_over", type_=Boolean))
)
"""under the order's lock, while our lease is on it, as `lease.still_ours` would make sure beforehand"""


def _settle(
    session: Session, order: Order, attempt: ChargeAttempt, status: AttemptStatus, charge: Charge | None = None
) -> None:
    """Write down how the attempt stands, and read what has been asked of the order since. Raises LeaseLost."""
    asked = {
        "order_id": order.id,
        "token": order.lease_token,
        "step": order.next_step,
        "attempt": attempt.attempt,
        "status": status.value,
        "ref": (charge and charge.ref) or attempt.ref,
        "decline_code": charge.decline_code if charge else attempt.decline_code,
        "action_url": charge.action_url if charge else attempt.action_url,
        "is_over": status not in ATTEMPT_UNDER_WAY,
    }
    row = _SETTLE.one_or_none(session, asked)
    if row is None:
        raise lease.LeaseLost(order.id)
    set_committed_value(order, "cancel_requested_at", row[0])
    lease.locked(session, order.id)


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
