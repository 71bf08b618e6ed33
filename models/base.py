"""What every table shares: one metadata, constraint names that migrations can rely on, and our column types."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Dialect, MetaData, Numeric, String, TypeDecorator, Uuid, func
from sqlalchemy.dialects.postgresql import DOMAIN, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.sql.operators import OperatorClass
from uuid6 import uuid7 as _uuid7


def uuid7() -> UUID:
    """A time-ordered random id: new rows land at the right edge of their index. Within a process they rise even in one millisecond. Source: RFC 9562."""
    return UUID(int=_uuid7().int)


class Listed(TypeDecorator[enum.StrEnum]):
    """A StrEnum stored as its readable value, in a PostgreSQL domain that accepts no other. Adding a member is a migration without a rewrite.

    A check constraint on the table would say the same, but PostgreSQL parses that again at each INSERT and UPDATE, byte for byte: a
    tenth of an order's time (docs/performance-history.md). It parses a domain's constraint once and caches it.
    name: the domain's name, if PostgreSQL already uses the one derived from the class.
    """

    impl = DOMAIN
    cache_ok = True
    operator_classes = OperatorClass.STRING

    def __init__(self, kind: type[enum.StrEnum], name: str | None = None) -> None:
        self.kind = kind
        self.name = name or "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")
        listed = ", ".join(f"'{member.value}'" for member in kind)
        super().__init__(
            name=self.name, data_type=String(40), constraint_name=f"ck_{self.name}", check=f"VALUE IN ({listed})"
        )
        self._values: dict[str, str] = {member: member.value for member in kind}
        self._members: dict[str, enum.StrEnum] = {member.value: member for member in kind}

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self._values[value]

    def process_result_value(self, value: str | None, dialect: Dialect) -> enum.StrEnum | None:  # noqa: ARG002
        return None if value is None else self._members[value]


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
