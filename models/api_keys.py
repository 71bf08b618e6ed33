"""Upstreams' keys: hashed at rest, scoped, each bound to the accounts it may act for."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Key


class ApiKey(Base):
    """Only the key's SHA-256 is stored: the key has 256 random bits, so a slow hash would add nothing."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    created_at: Mapped[CreatedAt]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """to within an hour"""


class ApiKeyAccount(Base):
    __tablename__ = "api_key_accounts"

    api_key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
