"""An account's stored cart, to be quoted later."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models.account_lock import lock_account
from models.carts import CartItem
from models.rules.cart import MAX_LINES, MAX_SEATS, CartLine
from models.rules.refusals import Refusal, RefusalCode


class CartUnstorable(Exception):
    """The cart cannot be stored."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code.value)
        self.refusal = refusal


def put(session: Session, *, account_id: UUID, lines: Sequence[CartLine]) -> None:
    """Replace the cart. Whether it may be ordered is checked by the quote. Raises CartUnstorable."""
    if len(lines) > MAX_LINES:
        raise CartUnstorable(Refusal(RefusalCode.TOO_MANY_LINES, facts={"most": MAX_LINES}))
    products = [line.product for line in lines]
    for index, line in enumerate(lines):
        if line.product in products[:index]:
            raise CartUnstorable(Refusal(RefusalCode.PRODUCT_TWICE, index, {"product": line.product}))
        if line.seats is not None and not 1 <= line.seats <= MAX_SEATS:
            facts = {"seats": line.seats, "most": MAX_SEATS}
            raise CartUnstorable(Refusal(RefusalCode.SEATS_OUT_OF_RANGE, index, facts))
    lock_account(session, account_id)
    clear(session, account_id=account_id)
    rows = [
        {
            "account_id": account_id,
            "product_code": line.product,
            "position": position,
            "action": line.action,
            "tier_code": line.tier,
            "seats": line.seats,
            "interval": line.interval,
        }
        for position, line in enumerate(lines)
    ]
    if rows:
        session.execute(insert(CartItem), rows)


def get(session: Session, *, account_id: UUID) -> list[CartLine]:
    """The cart's lines as they were stored; empty if there is no cart."""
    items = session.scalars(select(CartItem).where(CartItem.account_id == account_id).order_by(CartItem.position))
    return [CartLine(item.action, item.product_code, item.tier_code, item.seats, item.interval) for item in items]


def clear(session: Session, *, account_id: UUID) -> None:
    """Empty the cart; an empty one stays empty."""
    session.execute(delete(CartItem).where(CartItem.account_id == account_id))
