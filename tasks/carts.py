"""An account's stored cart: what it may be asked a quote for later."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.carts import CartItem
from models.rules.cart import MAX_LINES, MAX_SEATS, CartLine


class CartUnstorable(Exception):
    """The cart cannot be kept; `code` is stable, `field` says what it is about, as a path: (), or a line's index and field."""

    def __init__(self, code: str, message: str, *field: int | str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


def put(session: Session, *, account_id: UUID, lines: Sequence[CartLine]) -> None:
    """Replace the cart. Whether it may be ordered is for the quote to say. Raises CartUnstorable."""
    if len(lines) > MAX_LINES:
        raise CartUnstorable("too-many-lines", f"A cart has at most {MAX_LINES} lines.")
    products = [line.product for line in lines]
    for index, line in enumerate(lines):
        if line.product in products[:index]:
            detail = f"{line.product} is in the cart already; give it one line."
            raise CartUnstorable("product-twice", detail, index, "product")
        if line.seats is not None and not 1 <= line.seats <= MAX_SEATS:
            detail = f"Please give the number of seats, from 1 to {MAX_SEATS}."
            raise CartUnstorable("seats-out-of-range", detail, index, "seats")
    session.execute(select(Account.id).where(Account.id == account_id).with_for_update())
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
    """The cart's lines as they were put; empty where there is none."""
    items = session.scalars(select(CartItem).where(CartItem.account_id == account_id).order_by(CartItem.position))
    return [CartLine(item.action, item.product_code, item.tier_code, item.seats, item.interval) for item in items]


def clear(session: Session, *, account_id: UUID) -> None:
    """Empty the cart; an empty one stays empty."""
    session.execute(delete(CartItem).where(CartItem.account_id == account_id))
