"""When the books were last checked, and how many differences there were: written by `prorata ledger`, read by the metrics."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, String, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base


class Compared(StrEnum):
    VERIFY = "verify"
    """our books with themselves"""
    RECONCILE = "reconcile"
    """our books with the payment provider's"""


class BooksCheck(Base):
    """The latest run of each check."""

    __tablename__ = "books_checks"
    __table_args__ = (CheckConstraint("differences >= 0", name="differences_not_negative"),)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]
    differences: Mapped[int]


def record_books_check(session: Session, name: Compared, *, differences: int) -> None:
    """Record that it has just run, by PostgreSQL's clock."""
    values = {"at": func.clock_timestamp(), "differences": differences}
    row = upsert(BooksCheck).values(name=name.value, **values)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
