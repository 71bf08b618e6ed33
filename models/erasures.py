"""Erasures of people's data: who did it, when and why, and in which rows. Whose data it was is not kept: that would undo the erasure."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import String, Table, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import Account
from models.base import Base, Key
from models.never_changed import append_only


class Erasure(Base):
    __tablename__ = "erasures"

    id: Mapped[Key]
    erased_at: Mapped[datetime]
    erased_by: Mapped[str] = mapped_column(String(200))
    erased_why: Mapped[str] = mapped_column(Text)
    rows: Mapped[dict[str, Any]]
    """by kind of data (`tasks.personal_data`), the ids of the rows in which something was erased"""


cast("Table", Erasure.__table__).add_is_dependent_on(
    cast("Table", Account.__table__)
)  # whose triggers' function it uses
append_only(
    Erasure.__table__, because="the record of an erasure never changes", instead="erase again, which is recorded anew"
)
