"""An order's lines, read when a step needs them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import OrderLine


def of(session: Session, order_id: UUID) -> Sequence[OrderLine]:
    """The lines of an order, by position."""
    return session.scalars(select(OrderLine).where(OrderLine.order_id == order_id).order_by(OrderLine.position)).all()
