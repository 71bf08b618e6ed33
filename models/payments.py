"""Charges and refunds. Each row is committed, with its idempotency key, before the first request to the provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Currency, Listed, Minor
from models.states import AttemptStatus, RefundState


class ChargeAttempt(Base):
    """One attempt to charge an order; another card is another attempt with another key."""

    __tablename__ = "charge_attempts"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index(
            "one_live_charge",
            "order_id",
            unique=True,
            postgresql_where="status not in ('declined', 'canceled', 'void')",
        ),
        Index("ix_charge_attempts_declined", "settled_at", postgresql_where="status = 'declined'"),
        Index("ix_charge_attempts_look_again", "look_again_at", postgresql_where="look_again_at is not null"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    payment_method_id: Mapped[UUID] = mapped_column(ForeignKey("payment_methods.id"))
    status: Mapped[AttemptStatus] = mapped_column(Listed(AttemptStatus), default=AttemptStatus.PENDING)
    ref: Mapped[str | None] = mapped_column(String(255), unique=True)
    """the provider's id of the charge"""
    decline_code: Mapped[str | None] = mapped_column(String(60))
    action_url: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[datetime | None]
    """when we last requested this charge from the provider; committed before the request is sent"""
    settled_at: Mapped[datetime | None]
    look_again_at: Mapped[datetime | None]
    """when the provider is asked once more about an attempt that was given up (`tasks.charges.late_charges`)"""


class RefundAttempt(Base):
    """One attempt to refund a charge."""

    __tablename__ = "refund_attempts"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "charge_attempt"], ["charge_attempts.order_id", "charge_attempts.attempt"]),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("one_live_refund", "order_id", "charge_attempt", unique=True, postgresql_where="status <> 'failed'"),
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    charge_attempt: Mapped[int]
    key: Mapped[str] = mapped_column(String(120), unique=True)
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    reason: Mapped[str] = mapped_column(String(60))
    status: Mapped[RefundState] = mapped_column(Listed(RefundState), default=RefundState.PENDING)
    ref: Mapped[str | None] = mapped_column(String(255), unique=True)
    """the provider's id of the refund; None on one that succeeded: several refunds made elsewhere return the money together"""
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    """when we last requested it from the provider; committed before the request is sent. None: that request was refused"""
    settled_at: Mapped[datetime | None]
