"""Turns an order's lines into subscriptions, locking the account and each subscription; raises CannotActivate if it is too late."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models import order_cache, refunded_elsewhere
from models.account_lock import lock_account
from models.base import Base, uuid7
from models.disputed_charges import is_paid_with_taken
from models.orders import Order, OrderLine
from models.prepared import Prepared
from models.row_inserts import insert_rows_and_update
from models.rules.cart import RUNNING, Action, SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.subscriptions import RUNS, Subscription, SubscriptionPeriod, Trial, assigned


class CannotActivate(Exception):
    """What was bought can no longer be activated, and a retry will not help; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def activate(session: Session, order: Order, lines: Sequence[OrderLine]) -> None:
    """Activate the order's lines as of `order.as_of`, under a lock on the account. If it raises CannotActivate, roll back."""
    lock_account(session, order.account_id)
    new = []
    for line in sorted(lines, key=lambda line: line.product_code):
        held = _locked(session, order.account_id, line.product_code)
        if held is None:
            new.append(_activate_new(session, order, line))
        else:
            _activate_held(session, order, line, held)
    if len(new) == len(lines):
        order_cache.keep_new_subscriptions(order, new)


_RUNNING = select(SubscriptionPeriod, is_paid_with_taken(), refunded_elsewhere.of_period()).where(
    SubscriptionPeriod.subscription_id == bindparam("subscription"), RUNS
)
_HELD_ONE = Prepared[UUID](
    select(Subscription.id)
    .where(Subscription.account_id == bindparam("account"), Subscription.product_code == bindparam("product"))
    .with_for_update()
)


_LINK = (
    update(OrderLine)
    .where(OrderLine.order_id == bindparam("order"), OrderLine.position == bindparam("at"))
    .values(subscription_id=bindparam("subscription"))
)
"""records which subscription belongs to the line"""


def _link(session: Session, line: OrderLine, subscription: Subscription, *rows: Base) -> None:
    """Link the line to its subscription, and insert `rows` in the same statement."""
    parameters = {"order": line.order_id, "at": line.position, "subscription": subscription.id}
    insert_rows_and_update(session, _LINK, parameters, *rows)
    set_committed_value(line, "subscription_id", subscription.id)


def _activate_new(session: Session, order: Order, line: OrderLine) -> Subscription:
    """The account has never had the product."""
    if line.action is Action.CHANGE:
        raise CannotActivate("not-subscribed")
    if line.action is Action.TRIAL:
        _take_trial(session, order, line)
    subscription = Subscription(id=uuid7(), account_id=order.account_id, product_code=line.product_code)
    _set(subscription, order, line)
    _link(session, line, subscription, subscription, _period(subscription, order, line))
    return subscription


def _activate_held(session: Session, order: Order, line: OrderLine, subscription: Subscription) -> None:
    """The account has, or once had, the product: lock its subscription and start another period."""
    running, taken, refunded = _running(session, subscription)
    if line.action is Action.CHANGE:
        _check_change(subscription, running, line)
        if taken:
            raise CannotActivate(RefusalCode.PAYMENT_DISPUTED.value)
        if running is not None and _credits_more_than_remains_paid(line, running, refunded):
            raise CannotActivate(RefusalCode.PAYMENT_REFUNDED.value)
    else:
        _check_free(subscription, line, order)
    if assigned(session, subscription.id) > line.seats:
        raise CannotActivate("seats-below-assigned")
    if line.action is Action.TRIAL:
        _take_trial(session, order, line)
    if running is not None:
        _close(running, order, line)
    _set(subscription, order, line)
    session.flush()
    _link(session, line, subscription, _period(subscription, order, line))


def _locked(session: Session, account_id: UUID, product: str) -> Subscription | None:
    held = _HELD_ONE.scalar(session, {"account": account_id, "product": product})
    return session.get_one(Subscription, held, populate_existing=True) if held is not None else None


def _credits_more_than_remains_paid(line: OrderLine, running: SubscriptionPeriod, refunded_minor: int) -> bool:
    credit = line.unused_minor + line.unused_tax_minor
    return credit > max(0, running.charged_minor + running.tax_minor - refunded_minor)


def _running(session: Session, subscription: Subscription) -> tuple[SubscriptionPeriod | None, bool, int]:
    """The subscription's open period, whether the customer's bank has taken back what paid for it, and what went back of that in the provider's dashboard."""
    row = session.execute(_RUNNING, {"subscription": subscription.id}).one_or_none()
    return (row[0], row[1], row[2]) if row is not None else (None, False, 0)


def _check_change(subscription: Subscription, running: SubscriptionPeriod | None, line: OrderLine) -> None:
    if running is None:
        raise CannotActivate("not-subscribed")
    if line.from_period_id is not None and running.id != line.from_period_id:
        raise CannotActivate("subscription-changed")
    if subscription.status not in RUNNING:
        raise CannotActivate("subscription-ended")
    if (line.interval is None) != (subscription.interval is None):
        raise CannotActivate("subscription-changed")


def _check_free(subscription: Subscription, line: OrderLine, order: Order) -> None:
    """A purchase or a trial requires that no other is running."""
    if subscription.period_end <= order.as_of:
        return
    taken = (SubscriptionStatus.ACTIVE,) if line.action is Action.PURCHASE else RUNNING
    if subscription.status in taken:
        raise CannotActivate("already-subscribed")


def _take_trial(session: Session, order: Order, line: OrderLine) -> None:
    row = {"account_id": order.account_id, "product_code": line.product_code}
    statement = upsert(Trial).values(**row, order_id=order.id, started_at=order.as_of).on_conflict_do_nothing()
    if session.scalar(statement.returning(Trial.order_id)) is None:
        raise CannotActivate("trial-used")


def _close(running: SubscriptionPeriod, order: Order, line: OrderLine) -> None:
    """End the period at the change; a lapsed one, or a trial, yields no credit."""
    running.closed_at = order.as_of
    running.unused_minor = line.unused_minor
    running.unused_tax_minor = line.unused_tax_minor


def _set(subscription: Subscription, order: Order, line: OrderLine) -> None:
    subscription.tier_code = line.tier_code
    subscription.seats = line.seats
    subscription.interval = line.interval
    subscription.currency = order.currency
    subscription.status = SubscriptionStatus.TRIALING if line.interval is None else SubscriptionStatus.ACTIVE
    subscription.anchor_day = line.anchor_day
    subscription.period_start = line.period_start
    subscription.period_end = line.period_end


def _period(subscription: Subscription, order: Order, line: OrderLine) -> SubscriptionPeriod:
    return SubscriptionPeriod(
        id=uuid7(),
        subscription_id=subscription.id,
        order_id=order.id,
        tier_code=line.tier_code,
        seats=line.seats,
        interval=line.interval,
        starts_at=line.period_start,
        ends_at=line.period_end,
        charged_minor=line.charge_minor,
        tax_minor=line.charge_tax_minor,
        tax_rate=line.tax_rate,
        tax_treatment=line.tax_treatment,
    )
