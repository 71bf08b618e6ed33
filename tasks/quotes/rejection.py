"""Rejects an order whose cart may no longer be ordered, before any money has moved."""

from sqlalchemy.orm import Session

from models.ending import Ending
from models.orders import Order
from models.states import OrderStatus
from tasks.quotes.quoting import CartRefused
from tasks.running.outcome import Outcome
from tasks.step import stop


def reject(session: Session, order: Order, refused: CartRefused) -> Outcome:
    """End the order, storing every reason. The timeline gets only codes, because some reasons contain addresses.

    Raises LeaseLost.
    """
    codes = [refusal.code.value for refusal in refused.refusals]
    reasons = [{"code": r.code.value, "line": r.line, **r.facts} for r in refused.refusals]
    rejected = Ending(
        OrderStatus.REJECTED, reason=codes[0], facts={"refused": codes}, private_facts={"refusals": reasons}
    )
    return stop(session, order, rejected)
