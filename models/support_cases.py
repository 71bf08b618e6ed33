"""Requests that cannot be fulfilled online (a lower tier), passed to support with all their details."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Key


class SupportCase(Base):
    """An account's request as last made, with what the account had at that time."""

    __tablename__ = "support_cases"
    __table_args__ = (
        Index(
            "one_open_case_per_wish",
            "account_id",
            "product_code",
            "to_tier",
            unique=True,
            postgresql_where="closed_at is null",
        ),
        CheckConstraint(
            "closed_at is not null or (closed_by is null and closed_why is null)", name="only_closed_says_why"
        ),
    )

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    """the number that people use for it"""
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    """who asked last"""
    product_code: Mapped[str] = mapped_column(String(60))
    from_tier: Mapped[str] = mapped_column(String(60))
    to_tier: Mapped[str] = mapped_column(String(60))
    seats: Mapped[int]
    """how many the account had"""
    text: Mapped[str] = mapped_column(String(4000))
    """everything that support needs to know, in several lines"""
    created_at: Mapped[CreatedAt]
    asked_at: Mapped[CreatedAt]
    """when it was last asked for"""
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(200))
    closed_why: Mapped[str | None] = mapped_column(Text)


OPEN = SupportCase.closed_at.is_(None)
"""selects the cases that support has not answered yet"""
