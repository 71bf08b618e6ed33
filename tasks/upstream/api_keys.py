"""Upstreams' API keys: shown once, recognized by their hash, each valid for some scopes and accounts."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Interval, bindparam, cast, delete, exists, false, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.accounts import Account
from models.api_keys import ApiKey, ApiKeyAccount
from models.base import uuid7
from models.errors import Explained
from models.prepared import Prepared
from tasks.plain_text import one_line

LONGEST_NAME = 100
PREFIX = "prk_"
"""lets people and scanners recognize a leaked key"""


class Scope(StrEnum):
    """What a key may do. Writing does not include reading, but a response shows what was written, and a refusal names who can help."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    """quotes, orders, the cart, and a payment method for an order that waits for one"""
    ACCOUNTS_READ = "accounts:read"
    """accounts, their contacts, balance, payment method, subscriptions and seats"""
    ACCOUNTS_WRITE = "accounts:write"
    SEATS_WRITE = "seats:write"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid key."""

    key_id: UUID
    scopes: frozenset[str]
    bound_to: UUID | None = None
    """the requested account, if the key may act for it"""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The data of a key that may be shown."""

    id: UUID
    """the API logs it with each request"""
    name: str
    scopes: tuple[str, ...]
    accounts: int
    """how many it may act for"""
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    """to within an hour; None if never"""


class KeyRefused(Explained):
    """No key can be issued, changed, revoked or shown like this; the message says why."""


def issue(
    session: Session, *, name: str, scopes: Sequence[str], account_ids: Sequence[UUID], key: str | None = None
) -> str:
    """Make a key and return it; afterwards only its hash is known.

    key: one made elsewhere (`prk_` and at least 32 characters), for development; if issued again, it has only these
    scopes and accounts.
    Raises KeyRefused if a scope is unknown, the name is invalid, the key is too short or revoked, or another key has the name.
    """
    if not name or name != one_line(name) or len(name) > LONGEST_NAME:
        raise KeyRefused(f"a key's name is one line of 1 to {LONGEST_NAME} characters that can be printed")
    if unknown := sorted(set(scopes) - set(Scope)):
        raise KeyRefused(f"unknown scopes: {', '.join(unknown)}; there are {', '.join(Scope)}")
    plain = key or PREFIX + secrets.token_urlsafe(32)
    if not plain.startswith(PREFIX) or len(plain) < len(PREFIX) + 32:
        raise KeyRefused(f"a key starts with {PREFIX} and has at least 32 characters after that")
    digest = digest_of(plain)
    holder = session.scalar(select(ApiKey.digest).where(ApiKey.name == name))
    if holder not in (None, digest):
        raise KeyRefused(f"there is another key called {name!r}; give this one another name")
    row = {"name": name, "scopes": sorted(set(scopes))}
    statement = upsert(ApiKey).values(id=uuid7(), digest=digest, **row)
    valid = ApiKey.revoked_at.is_(None)
    key_id = session.scalar(
        statement.on_conflict_do_update(index_elements=["digest"], set_=row, where=valid).returning(ApiKey.id),
        execution_options={"populate_existing": True},
    )
    if key_id is None:
        raise KeyRefused("this key has been revoked permanently; issue a new one, under another name")
    bound = sorted(set(account_ids))
    session.execute(
        delete(ApiKeyAccount).where(ApiKeyAccount.api_key_id == key_id, ApiKeyAccount.account_id.not_in(bound))
    )
    rows = [{"api_key_id": key_id, "account_id": account_id} for account_id in bound]
    if rows:
        session.execute(upsert(ApiKeyAccount).on_conflict_do_nothing(), rows)
    return plain


def revoke(session: Session, *, name: str) -> bool:
    """Revoke the key with immediate effect. False where there is no valid key of that name."""
    statement = update(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    return session.scalar(statement.returning(ApiKey.id)) is not None


def allow(session: Session, *, name: str, account_ids: Sequence[UUID]) -> int:
    """Let the key act for these accounts too; it keeps those it has. Returns how many are new. Raises KeyRefused."""
    key_id = _valid_key_called(session, name)
    rows = [{"api_key_id": key_id, "account_id": account_id} for account_id in sorted(set(account_ids))]
    added = upsert(ApiKeyAccount).values(rows).on_conflict_do_nothing().returning(ApiKeyAccount.account_id)
    return len(session.scalars(added).all())


def disallow(session: Session, *, name: str, account_ids: Sequence[UUID]) -> int:
    """Let the key no longer act for these accounts, with effect for the next request. Returns how many it could act for. Raises KeyRefused."""
    key_id = _valid_key_called(session, name)
    of_key = ApiKeyAccount.api_key_id == key_id, ApiKeyAccount.account_id.in_(account_ids)
    return len(session.scalars(delete(ApiKeyAccount).where(*of_key).returning(ApiKeyAccount.account_id)).all())


def _valid_key_called(session: Session, name: str) -> UUID:
    """Its id; until the end of the transaction nobody else changes it. Raises KeyRefused."""
    query = select(ApiKey.id).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
    key_id = session.scalar(query.with_for_update(key_share=True))
    if key_id is None:
        raise KeyRefused(f"there is no valid key called {name!r}")
    return key_id


def accounts_of(session: Session, key_id: UUID) -> list[tuple[UUID, str]]:
    """Id and name of each account that the key may act for, by name."""
    query = select(Account.id, Account.name).join(ApiKeyAccount, ApiKeyAccount.account_id == Account.id)
    rows = session.execute(query.where(ApiKeyAccount.api_key_id == key_id).order_by(Account.name, Account.id))
    return [(row.id, row.name) for row in rows]


def issued(session: Session) -> list[IssuedKey]:
    """Every key there is or was, by name."""
    accounts = select(func.count()).where(ApiKeyAccount.api_key_id == ApiKey.id).scalar_subquery()
    return [
        IssuedKey(key.id, key.name, tuple(key.scopes), bound, key.created_at, key.revoked_at, key.last_used_at)
        for key, bound in session.execute(select(ApiKey, accounts).order_by(ApiKey.name))
    ]


def caller_with(session: Session, plain: str, *, account_id: UUID | None = None) -> Caller | None:
    """The holder of this key; None if it is unknown or revoked. The final comparison is constant-time."""
    digest = digest_of(plain)
    row = _VALID_KEY.one_or_none(session, {"digest": digest, "account_id": account_id})
    if row is None:
        return None
    key_id, kept, scopes, is_bound, is_noted = row
    if not hmac.compare_digest(kept, digest):
        return None
    if not is_noted:
        _note_use(session, key_id)
    return Caller(key_id=key_id, scopes=frozenset(scopes), bound_to=account_id if is_bound else None)


def _note_use(session: Session, key_id: UUID) -> None:
    """Record the key's use. Skips the write if another request is already recording it."""
    mine = select(ApiKey.id).where(ApiKey.id == key_id).with_for_update(skip_locked=True, key_share=True)
    noted = update(ApiKey).where(ApiKey.id == mine.scalar_subquery()).values(last_used_at=func.clock_timestamp())
    session.execute(noted, execution_options={"synchronize_session": False})


NOTED_EVERY = timedelta(hours=1)
"""recording each use would cost a write per request"""

_keys, _bindings = ApiKey.__table__.c, ApiKeyAccount.__table__.c
_VALID_KEY = Prepared[UUID, str, list[str], bool, bool](
    select(
        *(_keys.id, _keys.digest, _keys.scopes),
        exists().where(_bindings.api_key_id == _keys.id, _bindings.account_id == bindparam("account_id")),
        func.coalesce(_keys.last_used_at > func.clock_timestamp() - cast(NOTED_EVERY, Interval), false()),
    ).where(_keys.digest == bindparam("digest"), _keys.revoked_at.is_(None))
)
"""asked with each request, so built once"""


def digest_of(plain: str) -> str:
    """SHA-256 in hex: the only form in which a key is stored."""
    return hashlib.sha256(plain.encode()).hexdigest()
