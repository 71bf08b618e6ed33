"""Upstreams' keys: hashed at rest, scoped, each bound to the accounts it may act for, with a record of what happened to it."""

from datetime import datetime
from enum import StrEnum
from typing import cast
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import Account
from models.base import Base, CreatedAt, Key, Listed
from models.never_changed import append_only


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


class KeyChange(StrEnum):
    ISSUED = "issued"
    RENAMED = "renamed"
    SCOPES_CHANGED = "scopes_changed"
    ALLOWED = "allowed"
    DISALLOWED = "disallowed"
    REVOKED = "revoked"


class ApiKeyChange(Base):
    """Something that was done to a key: by whom, when and why. It never has the key itself, nor its hash."""

    __tablename__ = "api_key_changes"
    __table_args__ = (
        CheckConstraint("what not in ('allowed', 'disallowed') or cardinality(accounts) > 0", name="concerns_accounts"),
    )

    id: Mapped[Key]
    api_key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), index=True)
    what: Mapped[KeyChange] = mapped_column(Listed(KeyChange))
    accounts: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    """ids of those that the key can be used for since, or no longer; with `scopes_changed`, of those for which it can do more or less"""
    name: Mapped[str] = mapped_column(String(100))
    """the key's, since then"""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    """the key's, since then"""
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """not when the transaction began: it may have waited for another change of the same key"""
    changed_by: Mapped[str] = mapped_column(String(200))
    changed_why: Mapped[str | None] = mapped_column(Text)


cast("Table", ApiKeyChange.__table__).add_is_dependent_on(
    cast("Table", Account.__table__)
)  # whose triggers' function it uses
append_only(
    ApiKeyChange.__table__,
    because="the record of what happened to a key never changes",
    instead="change the key again, which is recorded anew",
)
