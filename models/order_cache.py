"""Caches what a worker has read about its order, so that all of its steps share one read.

It lives and dies with the `Order` object: the next worker to take the order, a second later or after a crash, reads everything again.
Only two kinds of data belong here: data that nobody changes while an order is open, and names and addresses, which a letter or an
invoice may show as they were when the worker took the order. Data that affects money (how an account pays, a cancellation) is read in
the transaction that acts on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select
from sqlalchemy.orm import Session

from models.accounts import Account, Contact
from models.cart_facts import CartFacts
from models.orders import Order, OrderLine
from models.prepared import Prepared
from models.rules.cart import SubscriptionStatus
from models.subscriptions import SITS, SeatAssignment, Subscription, status_at

T = TypeVar("T")

_LINES = "lines"
_CUSTOMER = "account and contact"
_SUBSCRIPTIONS = "subscriptions with the number of their users"
_CART_FACTS = "the facts that determine the cart's price"

_known: WeakKeyDictionary[Order, dict[str, Any]] = WeakKeyDictionary()

_READ_LINES = Prepared[OrderLine](
    select(OrderLine).where(OrderLine.order_id == bindparam("order_id")).order_by(OrderLine.position), OrderLine
)
_READ_CUSTOMER = Prepared[Account, Contact](
    select(Account, Contact)
    .join(Contact, Contact.account_id == Account.id)
    .where(Account.id == bindparam("account_id"), Contact.id == bindparam("contact_id")),
    Account,
    Contact,
)
_USERS = (
    select(func.count()).where(SeatAssignment.subscription_id == Subscription.id, SITS).correlate(Subscription)
).scalar_subquery()
_READ_SUBSCRIPTIONS = Prepared[UUID, str, int, SubscriptionStatus, datetime, int](
    select(
        *(Subscription.id, Subscription.tier_code, Subscription.seats, Subscription.status, Subscription.period_end),
        _USERS,
    ).where(Subscription.id == any_(bindparam("subscriptions", type_=ARRAY(Uuid))))
)


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription of the order, as it is now."""

    id: UUID
    tier_code: str
    seats: int
    status: SubscriptionStatus
    period_end: datetime
    users: int
    """how many seats are assigned"""

    def status_at(self, moment: datetime) -> SubscriptionStatus:
        return status_at(self.status, self.period_end, moment)


def once(order: Order, what: str, read: Callable[[], T]) -> T:
    """The cached value; the first call gets it from `read`."""
    known = _known.setdefault(order, {})
    if what not in known:
        known[what] = read()
    found: T = known[what]
    return found


def keep(order: Order, what: str, value: object) -> None:
    """Cache `value`, which another query about the order happened to read or write."""
    _known.setdefault(order, {})[what] = value


def cart_facts(session: Session, order: Order) -> CartFacts | None:
    """What `keep_cart_facts` cached in this very session; None in any other."""
    within, facts = _known.get(order, {}).get(_CART_FACTS, (None, None))
    return facts if within is session else None


def keep_cart_facts(session: Session, order: Order, facts: CartFacts) -> None:
    """Cache what determines the cart's price: it is valid only within this transaction."""
    keep(order, _CART_FACTS, (session, facts))


def keep_customer(order: Order, account: Account, contact: Contact) -> None:
    """Cache the order's customer, which another query happened to read."""
    keep(order, _CUSTOMER, (account, contact))


def lines(session: Session, order: Order) -> Sequence[OrderLine]:
    """The lines of an order, by position."""
    return once(order, _LINES, lambda: [line for (line,) in _READ_LINES.all(session, {"order_id": order.id})])


def keep_lines(order: Order, lines: Sequence[OrderLine]) -> None:
    """Cache the lines, by position, which another query about the order happened to read."""
    keep(order, _LINES, lines)


def subscriptions(session: Session, order: Order) -> dict[UUID, Held]:
    """The subscriptions of an order whose lines are activated."""

    def read() -> dict[UUID, Held]:
        ids = [line.subscription_id for line in lines(session, order) if line.subscription_id is not None]
        found = [Held(*row) for row in _READ_SUBSCRIPTIONS.all(session, {"subscriptions": ids})]
        return {each.id: each for each in found}

    return once(order, _SUBSCRIPTIONS, read)


def keep_new_subscriptions(order: Order, new: Sequence[Subscription]) -> None:
    """Cache that these are the order's subscriptions: all are new, so nobody is assigned."""
    held = [Held(each.id, each.tier_code, each.seats, each.status, each.period_end, users=0) for each in new]
    keep(order, _SUBSCRIPTIONS, {each.id: each for each in held})


def account(session: Session, order: Order) -> Account:
    """Use only its name, address and language: the account may have changed since it was read."""
    return _customer(session, order)[0]


def contact(session: Session, order: Order) -> Contact:
    return _customer(session, order)[1]


def _customer(session: Session, order: Order) -> tuple[Account, Contact]:
    def read() -> tuple[Account, Contact]:
        return _READ_CUSTOMER.one(session, {"account_id": order.account_id, "contact_id": order.contact_id})

    return once(order, _CUSTOMER, read)
