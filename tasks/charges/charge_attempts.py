"""The rows of an order's charge attempts: inserted with their keys before the provider is asked, updated with its answer afterwards."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import lease, order_cache, refunded_elsewhere, step_ends
from models.accounts import CUSTOMER, Account, PaymentMethod, PaymentMethodStatus
from models.disputed_charges import is_paid_with_taken
from models.orders import Order, OrderLine
from models.payments import ChargeAttempt
from models.prepared import Prepared
from models.states import ATTEMPT_OVER, ATTEMPT_UNDER_WAY, AttemptStatus, PaymentKind
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import Kind
from tasks.ports import Charge, ChargeStatus
from tasks.wiring import exact_now, now


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know of an order's charge before we ask the provider anything."""

    attempt: ChargeAttempt | None
    """the one that has taken, or may yet take, the money"""
    method: PaymentMethod | None
    """the attempt's; where there is none, the one that a new attempt would go to"""
    customer_ref: str | None
    """the provider's id of the customer that the method was stored with; where there is no method, of the account's"""
    credits_taken: bool
    """whether a line credits a period although the customer's bank has taken back what paid for it"""
    credits_refunded: bool
    """whether a line credits more of a period than remains paid, after what went back in the provider's dashboard"""


_IS_LIVE = (ChargeAttempt.order_id == bindparam("of"), *(ChargeAttempt.status != over for over in ATTEMPT_OVER))
_LIVE = Prepared[ChargeAttempt](select(ChargeAttempt).where(*_IS_LIVE), ChargeAttempt)
_GOES_TO = case(
    (ChargeAttempt.order_id.is_not(None), PaymentMethod.id == ChargeAttempt.payment_method_id),
    else_=PaymentMethod.status == PaymentMethodStatus.USABLE,
)
_TAKEN = select(is_paid_with_taken()).where(SubscriptionPeriod.id == OrderLine.from_period_id).scalar_subquery()
_REFUNDED = (
    select(refunded_elsewhere.is_credited())
    .where(SubscriptionPeriod.id == OrderLine.from_period_id)
    .correlate(OrderLine)
    .scalar_subquery()
)
_IS_CREDITED = (OrderLine.order_id == bindparam("of"), OrderLine.from_period_id.is_not(None))
_CREDITS_TAKEN = exists().where(*_IS_CREDITED, _TAKEN)
_CREDITS_REFUNDED = exists().where(*_IS_CREDITED, _REFUNDED)
_NEVER = literal_column("false", Boolean)


def _standing(
    credits_taken: ColumnElement[bool], credits_refunded: ColumnElement[bool]
) -> Prepared[ChargeAttempt | None, PaymentMethod | None, str | None, bool, bool]:
    return Prepared(
        select(ChargeAttempt, PaymentMethod, CUSTOMER, credits_taken, credits_refunded)
        .select_from(Account)
        .outerjoin(ChargeAttempt, and_(*_IS_LIVE))
        .outerjoin(PaymentMethod, and_(PaymentMethod.account_id == Account.id, _GOES_TO))
        .where(Account.id == bindparam("account")),
        ChargeAttempt,
        PaymentMethod,
    )


_STANDING = _standing(_NEVER, _NEVER)
_STANDING_OF_CHANGES = _standing(
    _CREDITS_TAKEN, _CREDITS_REFUNDED
)  # PostgreSQL sets up each part of a plan, also those that it never runs
_ASKED = Prepared[()](
    update(ChargeAttempt)
    .where(ChargeAttempt.order_id == bindparam("of"), ChargeAttempt.attempt == bindparam("number"))
    .values(asked_at=bindparam("at"))
)


def live(session: Session, order_id: UUID) -> ChargeAttempt | None:
    """The attempt that has taken, or may yet take, the money."""
    return _LIVE.scalar(session, {"of": order_id})


def standing_of(session: Session, order: Order) -> Standing:
    """Read the order's standing. Lock the order first, or the standing may change a moment later."""
    changes = any(line.from_period_id is not None for line in order_cache.lines(session, order))
    statement = _STANDING_OF_CHANGES if changes else _STANDING
    return Standing(*statement.one(session, {"of": order.id, "account": order.account_id}))


def mark_asked(session: Session, attempt: ChargeAttempt, at: datetime) -> None:
    """Record that we are about to ask the provider to make this charge; commit before asking."""
    if attempt.asked_at != at:
        _ASKED.run(session, {"of": attempt.order_id, "number": attempt.attempt, "at": at})
        set_committed_value(attempt, "asked_at", at)


def begin(session: Session, order: Order, method_id: UUID) -> ChargeAttempt:
    """Insert the order's next card attempt; its number determines its key. Commit, then ask the provider."""
    at, created_at = now(), exact_now()
    values = {"amount_minor": order.due_minor, "currency": order.currency, "payment_method_id": method_id}
    params = {"order_id": order.id, **values, "at": at, "created_at": created_at}
    if (ends := step_ends.take_stored(session, order.id)) is None:
        begun = _BEGIN.one_or_none(session, params)
    else:
        begun = _END_AND_BEGIN.one_or_none(session, params | ends)
    if begun is None:
        raise lease.LeaseLost(order.id)
    attempt, key = begun
    set_committed_value(order, "payment_kind", PaymentKind.CARD)
    set_committed_value(order, "payment_due_at", None)
    return ChargeAttempt(
        order_id=order.id,
        attempt=attempt,
        key=key,
        status=AttemptStatus.PENDING,
        created_at=created_at,
        asked_at=at,
        **values,
    )


_BEGUN = """
    begun AS (
        INSERT INTO charge_attempts
            (order_id, attempt, key, amount_minor, currency, payment_method_id, status, created_at, asked_at)
        SELECT id, number, 'order:' || CAST(id AS text) || ':charge:' || number,
            :amount_minor, :currency, :payment_method_id, 'pending', :created_at, :at
        FROM moved, (SELECT coalesce(max(attempt), 0) + 1 AS number FROM charge_attempts WHERE order_id = :order_id) AS next
        RETURNING order_id, attempt, key
    )
"""
_BY_CARD = "payment_kind = 'card', payment_due_at = NULL"
_ATTEMPTED = f"""
    SELECT order_id, '{Kind.CHARGE_ATTEMPTED}', jsonb_build_object('attempt', attempt, 'amount_minor', :amount_minor) FROM begun
"""  # noqa: S608 - put together from constants
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
    WITH {step_ends.moved(also_set=_BY_CARD, ctes=_BEGUN, also_noted=_ATTEMPTED)}
    SELECT attempt, key FROM begun
""").bindparams(_AMOUNT)  # noqa: S608
)
"""the same, with the ends of the steps before it"""


def made_for(session: Session, charge: Charge) -> ChargeAttempt | None:
    """The attempt that the charge was made for. A second successful charge for the same attempt gets an attempt of its own, void from the start.

    While the provider remembers a key, that key cannot make two charges. Should there be two all the same, the second must be refunded.
    """
    known = session.scalar(select(ChargeAttempt).where(ChargeAttempt.ref == charge.ref))
    attempt = known or session.get(ChargeAttempt, (charge.order_id, charge.attempt))
    if attempt is None or attempt.ref in (None, charge.ref) or charge.status is not ChargeStatus.SUCCEEDED:
        return attempt
    return _insert_second(session, attempt, charge)


def _insert_second(session: Session, attempt: ChargeAttempt, charge: Charge) -> ChargeAttempt:
    number = session.scalars(
        select(func.max(ChargeAttempt.attempt) + 1).where(ChargeAttempt.order_id == attempt.order_id)
    ).one()
    second = ChargeAttempt(
        order_id=attempt.order_id,
        attempt=number,
        key=f"order:{attempt.order_id}:charge:{number}",  # as in _BEGUN
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        payment_method_id=attempt.payment_method_id,
        status=AttemptStatus.VOID,
        ref=charge.ref,
        created_at=exact_now(),
    )
    session.add(second)
    session.flush()
    return second


def void(session: Session, order: Order, attempt: ChargeAttempt) -> None:
    """Give up the attempt: the provider has no charge for it, and no request for it is under way any more. Raises LeaseLost.

    Should it be charged all the same, a webhook or `late_charges` reports the charge and it is refunded.
    """
    settle(session, order, attempt, AttemptStatus.VOID)


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
        FROM ours WHERE order_id = :order_id AND attempt = :attempt
    )
    SELECT cancel_requested_at FROM ours
""").bindparams(bindparam("order_id", type_=Uuid), bindparam("token", type_=Uuid), bindparam("is_over", type_=Boolean))
)
"""locks the order and checks our lease itself, so no `lease.require_ours` is needed before it"""


def settle(
    session: Session, order: Order, attempt: ChargeAttempt, status: AttemptStatus, charge: Charge | None = None
) -> None:
    """Record the attempt's status, and read whether the order is to be cancelled meanwhile. Raises LeaseLost."""
    params = {
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
    row = _SETTLE.one_or_none(session, params)
    if row is None:
        raise lease.LeaseLost(order.id)
    set_committed_value(order, "cancel_requested_at", row[0])
    lease.remember_locked(session, order.id)
