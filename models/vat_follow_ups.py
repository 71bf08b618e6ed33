"""VAT numbers to ask the registry about again, after an order went on without its answer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Listed


class FollowUpReason(StrEnum):
    PROVISIONAL = "provisional"
    """the number was taken on trust, no VAT was charged"""
    SET_ASIDE = "set_aside"
    """VAT was charged although there was a number"""


class FollowUpOutcome(StrEnum):
    CONFIRMED = "confirmed"
    """the answer agrees with what was charged, or the customer has money back, by a lost dispute or the provider's dashboard: nothing is corrected"""
    VAT_CHARGED = "vat_charged"
    """the number is invalid: corrected invoice, VAT owed"""
    VAT_CREDITED = "vat_credited"
    """the number is valid: the VAT became balance"""
    ORDER_ENDED = "order_ended"
    """the order was not completed, or it was refunded: nothing to correct"""


class VatFollowUp(Base):
    """One order's question to the registry, asked until it answers; then at most one correction, and one letter about it."""

    __tablename__ = "vat_follow_ups"
    __table_args__ = (
        CheckConstraint("(outcome is null) = (settled_at is null)", name="settled_with_an_outcome"),
        Index("ix_vat_follow_ups_waiting", "next_at", postgresql_where="outcome is null or letter_owed"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(30))
    """as the registry wants it"""
    reason: Mapped[FollowUpReason] = mapped_column(Listed(FollowUpReason))
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    outcome: Mapped[FollowUpOutcome | None] = mapped_column(Listed(FollowUpOutcome))
    vat_check_id: Mapped[UUID | None] = mapped_column(ForeignKey("vat_checks.id"))
    """the answer that settled it; without an outcome the one that will, once the customer's bank has decided a dispute"""
    letter_owed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[CreatedAt]
    settled_at: Mapped[datetime | None]
