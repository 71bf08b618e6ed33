"""The periods that an order charged. Lock the account (`models.account_lock`) before changing them, as activation does."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import Order
from models.subscriptions import Subscription, SubscriptionPeriod


def of(session: Session, order: Order) -> dict[str, SubscriptionPeriod]:
    """By product code."""
    query = (
        select(Subscription.product_code, SubscriptionPeriod)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(SubscriptionPeriod.order_id == order.id)
        .execution_options(populate_existing=True)
    )
    return {row[0]: row[1] for row in session.execute(query)}
