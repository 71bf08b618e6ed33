"""What every table shares: one metadata, constraint names that migrations can rely on, and the column types of the house."""

import enum
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Enum, MetaData, Numeric, String, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from uuid6 import uuid7 as _uuid7


def uuid7() -> UUID:
    """A time-ordered random id: new rows land at the right edge of their index. Source: RFC 9562."""
    return UUID(int=_uuid7().int)


def text_enum(kind: type[enum.StrEnum], name: str | None = None) -> Enum:
    """A StrEnum kept as its readable value, guarded by a check constraint; adding a member is a migration without a rewrite.

    name: the constraint's, where a table has two columns of one kind.
    """

    def values(members: Iterable[Any]) -> list[str]:
        return [member.value for member in members]

    name = name or "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")
    return Enum(kind, native_enum=False, create_constraint=True, length=40, values_callable=values, name=name)


Minor = Annotated[int, mapped_column(BigInteger)]
"""An amount in minor units of the row's currency."""
Currency = Annotated[str, mapped_column(String(3))]
Country = Annotated[str, mapped_column(String(2))]
Rate = Annotated[Decimal, mapped_column(Numeric(6, 3))]
"""A tax rate in per cent: 19 means 19 %."""
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
Key = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=uuid7)]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        UUID: Uuid,
    }
