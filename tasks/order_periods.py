"""The periods that an order charged, under the lock that keeps other orders of the account from changing them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.orders import Order
from models.subscriptions import Subscription, SubscriptionPeriod


def lock_account(session: Session, account_id: UUID) -> Account:
    """As activation does: whoever changes periods of the account waits. Who places an order for it does not."""
    query = select(Account).where(Account.id == account_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def of(session: Session, order: Order) -> dict[str, SubscriptionPeriod]:
    """By product code."""
    query = (
        select(Subscription.product_code, SubscriptionPeriod)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(SubscriptionPeriod.order_id == order.id)
        .execution_options(populate_existing=True)
    )
    return {row[0]: row[1] for row in session.execute(query)}
