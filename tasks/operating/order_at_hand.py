"""What operators' acts on an order have in common: their refusals, and the order with its charge and disputes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from models.errors import Explained, Unknown
from models.order_lock import lock_order
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AFTER_ACTIVATION, FINAL, OrderStatus
from tasks.ports import Dispute
from tasks.refunds import disputes, refunded, refunding


class NotPossible(Explained):
    """The order's state does not allow this; the message says why, and what can be done instead.

    advice: what can be done instead, apart from `why` where it does not hold for everybody who is refused.
    """

    def __init__(self, why: str, *, advice: str | None = None) -> None:
        super().__init__(f"{why}; {advice}" if advice else why)
        self.why = why


class UnknownOrder(Unknown):
    """There is no such order."""


def locked(session: Session, order_id: UUID, *, with_lines: bool = False) -> Order:
    """Raises UnknownOrder."""
    order = lock_order(session, order_id, with_lines=with_lines)
    if order is None:
        raise UnknownOrder(f"there is no order {order_id}")
    return order


def completed(session: Session, order_id: UUID) -> tuple[Order, ChargeAttempt] | None:
    """The order and its charge, if it is completed and a card was charged for it."""
    order = locked(session, order_id)
    charge = refunded.succeeded_charge(session, order) if order.status is OrderStatus.COMPLETED else None
    return None if charge is None else (order, charge)


def let_it_complete(order: Order) -> str:
    """What is to be done first about an order whose purchase is active, while its letters are not sent; empty if that is not so."""
    if order.status in FINAL or order.next_step not in AFTER_ACTIVATION:
        return ""
    parked = order.status is OrderStatus.NEEDS_ATTENTION
    resume = f" (`prorata orders resume {order.number}`, with --without-letters if they cannot be)" if parked else ""
    return f"let it complete first: what it bought is active, only its letters are not sent{resume}"


def disputed(charge: ChargeAttempt) -> tuple[Sequence[Dispute], int]:
    """The disputes of the charge, and what the customer has from nobody, if the provider refunds nothing of it because of one, and the bank took a part."""
    if charge.ref is None:
        return (), 0
    found = disputes.find(charge.order_id, charge.ref)
    if disputes.in_the_way(found) is None:
        return found, 0
    return found, refunding.owed_minor(charge.ref, found, amount_minor=charge.amount_minor, currency=charge.currency)
