"""Stored carts, to be quoted later: one line per product."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Listed
from models.rules.cart import Action
from models.rules.period import Interval


class CartItem(Base):
    __tablename__ = "cart_items"
    __table_args__ = (CheckConstraint("seats > 0", name="seats_positive"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    product_code: Mapped[str] = mapped_column(String(60), primary_key=True)
    position: Mapped[int]
    action: Mapped[Action] = mapped_column(Listed(Action))
    tier_code: Mapped[str | None] = mapped_column(String(60))
    seats: Mapped[int | None]
    interval: Mapped[Interval | None] = mapped_column(Listed(Interval, "billing_interval"))
