"""What an account has: a subscription per product, the periods it was charged for, and who occupies its seats."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, CreatedAt, Currency, Key, Listed, Minor, Rate
from models.orders import OrderLine
from models.rules.cart import SubscriptionStatus
from models.rules.period import Interval
from models.rules.vat import Treatment


class Subscription(Base):
    """One product held by one account. The row is reused when a trial is bought, and when a lapsed subscription is bought again."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("account_id", "product_code"),
        ForeignKeyConstraint(["product_code", "tier_code"], ["tiers.product_code", "tiers.code"]),
        CheckConstraint("seats > 0", name="seats_positive"),
        CheckConstraint("anchor_day between 1 and 31", name="anchor_day_of_month"),
        CheckConstraint("period_start < period_end", name="period_runs_forward"),
        CheckConstraint(
            "(status = 'trialing' or status = 'trial_ended') = (interval is null)", name="trial_has_no_interval"
        ),
        Index("ix_trials_running", "period_end", postgresql_where="status = 'trialing'"),
    )

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    product_code: Mapped[str] = mapped_column(String(60))
    tier_code: Mapped[str] = mapped_column(String(60))
    seats: Mapped[int]
    interval: Mapped[Interval | None] = mapped_column(Listed(Interval, "billing_interval"))
    currency: Mapped[Currency]
    status: Mapped[SubscriptionStatus] = mapped_column(Listed(SubscriptionStatus))
    anchor_day: Mapped[int]
    """day of month its renewals fall on, kept through shorter months"""
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    """the renewal date; for a trial, when it ends"""
    created_at: Mapped[CreatedAt]

    def status_at(self, moment: datetime) -> SubscriptionStatus:
        return status_at(self.status, self.period_end, moment)


def status_at(status: SubscriptionStatus, period_end: datetime, moment: datetime) -> SubscriptionStatus:
    """A trial is over at its end, even while the sweep leaves it `trialing` because an order on the product is open."""
    over = status is SubscriptionStatus.TRIALING and period_end <= moment
    return SubscriptionStatus.TRIAL_ENDED if over else status


class Trial(Base):
    """Records that a trial was taken. The primary key enforces the rule: one trial per product and account."""

    __tablename__ = "trials"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    product_code: Mapped[str] = mapped_column(ForeignKey("products.code"), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    started_at: Mapped[datetime]


class SubscriptionPeriod(Base):
    """A period as it was charged, net and tax; the running one has no `closed_at`. Credit for it comes from these figures only."""

    __tablename__ = "subscription_periods"
    __table_args__ = (
        Index("one_running_period", "subscription_id", unique=True, postgresql_where="closed_at is null"),
        UniqueConstraint("order_id", "subscription_id"),
        CheckConstraint("starts_at < ends_at", name="runs_forward"),
        CheckConstraint("charged_minor >= 0 and tax_minor >= 0", name="charged_not_negative"),
        CheckConstraint("unused_minor between 0 and charged_minor", name="unused_within_charged"),
        CheckConstraint("unused_tax_minor between 0 and tax_minor", name="unused_tax_within_tax"),
    )

    id: Mapped[Key]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    tier_code: Mapped[str] = mapped_column(String(60))
    seats: Mapped[int]
    interval: Mapped[Interval | None] = mapped_column(Listed(Interval, "billing_interval"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    charged_minor: Mapped[Minor]
    """net of tax, for the whole period"""
    tax_minor: Mapped[Minor]
    tax_rate: Mapped[Rate]
    tax_treatment: Mapped[Treatment] = mapped_column(Listed(Treatment))
    closed_at: Mapped[datetime | None]
    unused_minor: Mapped[Minor | None]
    """how much of `charged_minor` was credited when a change closed the period early"""
    unused_tax_minor: Mapped[Minor | None]

    @property
    def ran_out(self) -> bool:
        """Whether it was over before another began, so that nothing of it was credited."""
        return self.closed_at is not None and self.closed_at >= self.ends_at and not self.unused_minor


class SeatAssignment(Base):
    """A user's seat, without which they cannot sign in. Rows are closed, never deleted."""

    __tablename__ = "seat_assignments"
    __table_args__ = (
        Index(
            "one_seat_per_user", "subscription_id", "user_email", unique=True, postgresql_where="unassigned_at is null"
        ),
    )

    id: Mapped[Key]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    user_email: Mapped[str] = mapped_column(String(320), index=True)
    assigned_at: Mapped[datetime]
    unassigned_at: Mapped[datetime | None]


RUNS = SubscriptionPeriod.closed_at.is_(None)
"""selects the open periods: at most one per subscription"""

SITS = SeatAssignment.unassigned_at.is_(None)
"""selects the seats assigned now"""


def running_period(session: Session, subscription: Subscription) -> SubscriptionPeriod | None:
    """The subscription's open period."""
    query = select(SubscriptionPeriod).where(SubscriptionPeriod.subscription_id == subscription.id, RUNS)
    return session.scalar(query)


def period_of(session: Session, line: OrderLine) -> SubscriptionPeriod | None:
    """The period that the line's order charged."""
    query = select(SubscriptionPeriod).where(
        SubscriptionPeriod.order_id == line.order_id, SubscriptionPeriod.subscription_id == line.subscription_id
    )
    return session.scalar(query)


def assigned(session: Session, subscription_id: UUID) -> int:
    """How many seats are assigned."""
    query = select(func.count()).where(SeatAssignment.subscription_id == subscription_id, SITS)
    return session.scalar(query) or 0
