"""Ends trials automatically, without a charge."""

from sqlalchemy import and_, select, update

from models.orders import OrderedProduct
from models.rules.cart import SubscriptionStatus
from models.subscriptions import Subscription
from tasks.wiring import begin, now


def end_due() -> None:
    """End the trials whose time is over, unless an order on the same product is still open; the sweep calls this.

    An order that was charged may contain a change of the trial, which an ended one would refuse. Nobody sees such a trial as running: `Subscription.status_at`.
    """
    ordered = and_(
        OrderedProduct.account_id == Subscription.account_id, OrderedProduct.product_code == Subscription.product_code
    )
    over = select(Subscription.id).where(
        Subscription.status == SubscriptionStatus.TRIALING,
        Subscription.period_end <= now(),
        ~select(OrderedProduct.order_id).where(ordered).exists(),
    )
    with begin() as session:
        session.execute(
            update(Subscription)
            .where(Subscription.id.in_(over.with_for_update(skip_locked=True)))
            .values(status=SubscriptionStatus.TRIAL_ENDED)
            .execution_options(synchronize_session=False)
        )
