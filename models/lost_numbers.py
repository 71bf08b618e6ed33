"""Numbers of documents that were issued by a database that was lost, or skipped to be safely beyond those: who says so, when and why."""

from datetime import datetime
from typing import cast

from sqlalchemy import CheckConstraint, SmallInteger, String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import Account
from models.base import Base, Key
from models.never_changed import append_only


class LostNumbers(Base):
    """A range of a series. Ranges do not overlap: whoever records one locks the series' row."""

    __tablename__ = "lost_numbers"
    __table_args__ = (CheckConstraint("first > 0 and last >= first", name="a_range"),)

    id: Mapped[Key]
    series: Mapped[str] = mapped_column(String(10))
    year: Mapped[int] = mapped_column(SmallInteger)
    first: Mapped[int]
    last: Mapped[int]
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(200))
    recorded_why: Mapped[str] = mapped_column(Text)


cast("Table", LostNumbers.__table__).add_is_dependent_on(
    cast("Table", Account.__table__)
)  # whose triggers' function it uses
append_only(
    LostNumbers.__table__,
    because="the record of lost numbers never changes",
    instead="if it is wrong, note that where you keep the incident",
)
