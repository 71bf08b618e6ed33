"""The row lock that serializes what happens to an order."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from models.orders import Order


def lock_order(session: Session, order_id: UUID, *, with_lines: bool = False) -> Order | None:
    """Held until the end of the transaction. Returns the order as read under the lock, or None if there is none."""
    query = select(Order).where(Order.id == order_id).with_for_update()
    if with_lines:
        query = query.options(selectinload(Order.lines))
    return session.scalar(query.execution_options(populate_existing=True))
