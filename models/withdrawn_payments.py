"""Payments by transfer that were recorded, and then withdrawn: booked on the wrong invoice, or called back by the bank."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Key, Minor
from models.invoices import Receivable
from models.never_changed import append_only


class WithdrawnPayment(Base):
    """From `paid_at` until `unpaid_at` the invoice counted as paid. Who withdrew the payment, and why, is in the order's timeline."""

    __tablename__ = "withdrawn_payments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("unpaid_at >= paid_at", name="not_before_it_was_paid"),
    )

    id: Mapped[Key]
    invoice_id: Mapped[UUID] = mapped_column(ForeignKey(Receivable.invoice_id), index=True)
    amount_minor: Mapped[Minor]
    paid_at: Mapped[datetime]
    unpaid_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]


append_only(
    WithdrawnPayment.__table__,
    because="a withdrawn payment stays on record",
    instead="record the payment again",
)
