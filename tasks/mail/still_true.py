"""What of an order its letters still say: a trial or a subscription that has ended since is left out, seats are counted as they are now.

Decided once for each time that a worker takes the order, so that a letter which is due has something to say.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from models import order_cache
from models.orders import Order, OrderLine
from models.rules.cart import RUNNING, Action, SubscriptionStatus
from tasks.letters.seat_prompt import SeatsToAssign, added
from tasks.wiring import now


def seats_to_assign(session: Session, order: Order) -> Sequence[SeatsToAssign]:
    """Seats without a user of the subscriptions whose seats the order raised: empty if nobody is to be asked."""
    return order_cache.once(order, "seats to assign", lambda: list(_seats_to_assign(session, order)))


def trials(session: Session, order: Order) -> Sequence[OrderLine]:
    """The trials that the order began and that still run, neither ended nor subscribed since."""
    return order_cache.once(order, "trials that run", lambda: list(_trials(session, order)))


def _seats_to_assign(session: Session, order: Order) -> Iterator[SeatsToAssign]:
    held = order_cache.subscriptions(session, order)
    for line in order_cache.lines(session, order):
        has = held.get(line.subscription_id) if line.subscription_id else None
        if has is None or not added(line) or has.status_at(now()) not in RUNNING or has.seats <= has.users:
            continue
        trial = has.status is SubscriptionStatus.TRIALING
        yield SeatsToAssign(line, has.tier_code, seats=has.seats, left=has.seats - has.users, trial=trial)


def _trials(session: Session, order: Order) -> Iterator[OrderLine]:
    began = [line for line in order_cache.lines(session, order) if line.action is Action.TRIAL]
    held = order_cache.subscriptions(session, order) if began else {}
    for line in began:
        if line.subscription_id and held[line.subscription_id].status_at(now()) is SubscriptionStatus.TRIALING:
            yield line
