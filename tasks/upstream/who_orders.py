"""Who orders: the contact whom a waiting order goes on with. Its letters go to them, and its invoices name them."""

from uuid import UUID

from sqlalchemy.orm import Session

from models import cart_facts
from models.account_lock import lock_account
from models.orders import Order
from models.rules import cart as cart_rules
from models.rules.refusals import Refusal
from tasks.upstream.request import RequestRefused
from tasks.wiring import now


class MayNotOrder(RequestRefused):
    """Whom the order would go on with is no billing contact of its account, or not any more: it would be rejected."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            refusal.code,
            "Whom the order would go on with is no billing contact of the account. Name one who is: in `contact_id` of the request or, "
            "to confirm, in that of a quote for the same cart.",
            **refusal.facts,
        )
        self.refusal = refusal


def require(session: Session, order: Order, contact_id: UUID | None) -> None:
    """contact_id: None for the contact that the order has. Raises MayNotOrder."""
    found = cart_facts.load(
        session, account_id=order.account_id, contact_id=contact_id or order.contact_id, products=(), as_of=now()
    )
    if (refusal := cart_rules.against_contact(found.buyer)) is not None:
        raise MayNotOrder(refusal)


def go_on_with(session: Session, order: Order, contact_id: UUID | None) -> dict[str, str]:
    """Make them the order's contact. Returns what the timeline is to say of it: whose it was, and whose it is. Raises MayNotOrder.

    Locks the account: until the end of the transaction nobody is erased, or loses the right to order, who goes on with it.
    The order is locked already.
    """
    before, now_theirs = order.contact_id, contact_id or order.contact_id
    lock_account(session, order.account_id)
    require(session, order, now_theirs)
    if now_theirs == before:
        return {}
    order.contact_id = now_theirs
    session.flush()
    return {"from_contact_id": str(before), "contact_id": str(now_theirs)}
