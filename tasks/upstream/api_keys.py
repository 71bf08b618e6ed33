"""Upstreams' API keys: shown once, kept as a hash, each valid for some scopes and accounts; issued, changed and revoked."""

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from typing import cast as cast_type
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Delete,
    Insert,
    ScalarSelect,
    Uuid,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.accounts import Account
from models.api_keys import ApiKey, ApiKeyAccount, ApiKeyChange, KeyChange
from models.base import uuid7
from models.errors import Explained, Unknown
from tasks.plain_text import one_line
from tasks.upstream.key_history import NAMED, record

LONGEST_NAME = 100
PREFIX = "prk_"
"""lets people and scanners recognize a leaked key"""
_FEWEST_DIFFERENT: Final = 8
"""characters: of one made at random, even of 32 hexadecimal digits, that few are as good as impossible"""
_MANY: Final = 1_000
"""accounts of a key, changed at once, after which the statistics of before mislead PostgreSQL"""
_LOOKS_LIKE_A_KEY: Final = re.compile(rf"{PREFIX}\S{{32}}")


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


class Issued(NamedTuple):
    key: str
    changes: Sequence[ApiKeyChange]
    """what was recorded; nothing if the key was issued like this before"""


class KeyRefused(Explained):
    """No key can be issued, changed or revoked like this; the message says why."""


class UnknownKey(Unknown):
    """No key has that name."""


def issue(
    session: Session,
    *,
    name: str,
    scopes: Sequence[str],
    account_ids: Sequence[UUID] | None,
    by: str,
    why: str | None = None,
    key: str | None = None,
) -> Issued:
    """Make a key; afterwards only its hash is known.

    account_ids: None for all that there are. key: one made elsewhere (`prk_` and at least 32 characters), for development; if issued again, it has only these
    scopes and accounts.
    Raises KeyRefused if a scope is unknown, the name is invalid, the key is too short, repeats few characters or is revoked, or another key has the name.
    """
    _refuse_keys_in(name, by, why)
    if not name or name != one_line(name) or len(name) > LONGEST_NAME:
        raise KeyRefused(f"a key's name is one line of 1 to {LONGEST_NAME} characters that can be printed")
    if unknown := sorted(set(scopes) - set(Scope)):
        raise KeyRefused(f"unknown scopes: {', '.join(unknown)}; there are {', '.join(Scope)}")
    plain = key or PREFIX + secrets.token_urlsafe(32)
    if not plain.startswith(PREFIX) or len(plain) < len(PREFIX) + 32:
        raise KeyRefused(f"a key starts with {PREFIX} and has at least 32 characters after that")
    if len(set(plain.removeprefix(PREFIX))) < _FEWEST_DIFFERENT:
        raise KeyRefused("this key can be guessed: make it at random, such as by `openssl rand -hex 32`")
    digest = digest_of(plain)
    _refuse_name_of_another(session, name, digest)
    granted = sorted(set(scopes))
    row = upsert(ApiKey).values(id=uuid7(), name=name, digest=digest, scopes=granted)
    made = session.scalar(row.on_conflict_do_nothing().returning(ApiKey))
    if made is None:
        _refuse_name_of_another(session, name, digest)  # one that was issued meanwhile
        again = _valid_key(session, ApiKey.digest == digest)
        if again is None:
            raise KeyRefused("this key has been revoked permanently; issue a new one, under another name")
        bound = set(session.scalars(select(Account.id)) if account_ids is None else account_ids)
        return Issued(plain, _issue_again(session, again, name=name, scopes=granted, accounts=bound, by=by, why=why))
    _bind(session, made, account_ids)
    issued = record(session, made, KeyChange.ISSUED, accounts=_all_bound_to(made), by=by, why=why, at=made.created_at)
    return Issued(plain, [issued])


def revoke(session: Session, *, name: str, by: str, why: str | None = None) -> ApiKeyChange:
    """Revoke the key with immediate effect. Returns what was recorded. Raises UnknownKey, and KeyRefused if it is revoked already."""
    _refuse_keys_in(by, why)
    key = _valid_key_called(session, name)
    key.revoked_at = session.scalar(select(func.clock_timestamp()))
    return record(session, key, KeyChange.REVOKED, accounts=_all_bound_to(key), by=by, why=why, at=key.revoked_at)


def allow(
    session: Session, *, name: str, account_ids: Sequence[UUID], by: str, why: str | None = None
) -> ApiKeyChange | None:
    """Let the key act for these accounts too; it keeps those it has. Returns what was recorded, None if it had them all. Raises UnknownKey, KeyRefused."""
    _refuse_keys_in(by, why)
    key = _valid_key_called(session, name)
    new = set(account_ids) - _bound_to(session, key, among=account_ids)
    _bind(session, key, new)
    return record(session, key, KeyChange.ALLOWED, accounts=new, by=by, why=why) if new else None


def disallow(
    session: Session, *, name: str, account_ids: Sequence[UUID], by: str, why: str | None = None
) -> ApiKeyChange | None:
    """Let the key no longer act for these accounts, with effect for the next request. Returns what was recorded, None if it had none of them. Raises UnknownKey, KeyRefused."""
    _refuse_keys_in(by, why)
    key = _valid_key_called(session, name)
    gone = _bound_to(session, key, among=account_ids)
    _unbind(session, key, gone)
    return record(session, key, KeyChange.DISALLOWED, accounts=gone, by=by, why=why) if gone else None


def _issue_again(
    session: Session, key: ApiKey, *, name: str, scopes: list[str], accounts: set[UUID], by: str, why: str | None
) -> list[ApiKeyChange]:
    """Returns what was recorded. Raises KeyRefused if another key was given the name meanwhile."""
    before = _bound_to(session, key)
    new, gone = accounts - before, before - accounts
    changes = (
        (KeyChange.RENAMED, frozenset[UUID](), key.name != name),
        (KeyChange.SCOPES_CHANGED, before & accounts, key.scopes != scopes),
        (KeyChange.DISALLOWED, gone, bool(gone)),
        (KeyChange.ALLOWED, new, bool(new)),
    )
    _rename(session, key, name)
    key.scopes = scopes
    _unbind(session, key, gone)
    _bind(session, key, new)
    return [
        record(session, key, what, accounts=concerned, by=by, why=why)
        for what, concerned, has_changed in changes
        if has_changed
    ]


def _refuse_name_of_another(session: Session, name: str, digest: str) -> None:
    """Raises KeyRefused."""
    holder = session.scalar(select(ApiKey.digest).where(ApiKey.name == name))
    if holder not in (None, digest):
        raise _name_taken(name)


def _rename(session: Session, key: ApiKey, name: str) -> None:
    """Raises KeyRefused."""
    try:
        with session.begin_nested():
            key.name = name
    except IntegrityError as error:
        raise _name_taken(name) from error


def _name_taken(name: str) -> KeyRefused:
    return KeyRefused(f"there is another key called {name!r}; give this one another name")


def _refuse_keys_in(*texts: str | None) -> None:
    """Raises KeyRefused."""
    if any(_LOOKS_LIKE_A_KEY.search(text) for text in texts if text):
        raise KeyRefused("names, --by and --why are kept, so no API key may be in them: call a key by its name")


def _valid_key_called(session: Session, name: str) -> ApiKey:
    """Until the end of the transaction nobody else changes it. Raises UnknownKey, and KeyRefused for a revoked one."""
    key = _valid_key(session, ApiKey.name == name)
    if key is None:
        was_issued = session.scalar(select(ApiKey.id).where(ApiKey.name == name)) is not None
        raise (KeyRefused if was_issued else UnknownKey)(f"there is no valid key called {name!r}")
    return key


def _valid_key(session: Session, which: ColumnElement[bool]) -> ApiKey | None:
    """Locked."""
    query = select(ApiKey).where(which, ApiKey.revoked_at.is_(None)).with_for_update(key_share=True)
    return session.scalar(query, execution_options={"populate_existing": True})


def _bound_to(session: Session, key: ApiKey, *, among: Collection[UUID] | None = None) -> set[UUID]:
    query = select(ApiKeyAccount.account_id).where(ApiKeyAccount.api_key_id == key.id)
    return set(session.scalars(query if among is None else query.where(_is_one_of(among))))


def _all_bound_to(key: ApiKey) -> ScalarSelect[Any]:
    """For the database to record, because they may be a million."""
    ids = func.array_agg(aggregate_order_by(ApiKeyAccount.account_id, ApiKeyAccount.account_id))
    bound = select(func.coalesce(ids, cast([], ARRAY(Uuid)))).where(ApiKeyAccount.api_key_id == key.id)
    return bound.scalar_subquery()


def _bind(session: Session, key: ApiKey, accounts: Collection[UUID] | None) -> None:
    """accounts: None for all that there are."""
    ids = select(Account.id) if accounts is None else select(func.unnest(_array(accounts)).label("id"))
    chosen = ids.subquery()
    rows = select(literal(key.id), chosen.c.id).order_by(chosen.c.id)
    _change(session, insert(ApiKeyAccount).from_select(["api_key_id", "account_id"], rows))


def _unbind(session: Session, key: ApiKey, accounts: Collection[UUID]) -> None:
    _change(session, delete(ApiKeyAccount).where(ApiKeyAccount.api_key_id == key.id, _is_one_of(accounts)))


def _change(session: Session, statement: Insert | Delete) -> None:
    """After a large change PostgreSQL counts the accounts of each key anew: until it does, a minute later, lists of many orders take seconds.

    A role that may not have it count them, and whoever comes while it is counting, only get a warning.
    """
    done = session.execute(statement, execution_options={"preserve_rowcount": True})
    if cast_type("CursorResult[Any]", done).rowcount >= _MANY:
        session.execute(text("ANALYZE (SKIP_LOCKED) api_key_accounts"))


def _is_one_of(accounts: Collection[UUID]) -> ColumnElement[bool]:
    return ApiKeyAccount.account_id == func.any(_array(accounts))


def _array(accounts: Collection[UUID]) -> ColumnElement[Any]:
    """One parameter, however many they are: a statement may have 65,535."""
    return cast(sorted(set(accounts)), ARRAY(Uuid))


def accounts_of(session: Session, key_id: UUID, *, at_most: int = NAMED) -> list[tuple[UUID, str]]:
    """Id and name of the first accounts, by name, that the key may act for."""
    query = select(Account.id, Account.name).join(ApiKeyAccount, ApiKeyAccount.account_id == Account.id)
    bound = query.where(ApiKeyAccount.api_key_id == key_id).order_by(Account.name, Account.id)
    return [(row.id, row.name) for row in session.execute(bound.limit(at_most))]


def issued(session: Session) -> list[IssuedKey]:
    """Every key there is or was, by name."""
    accounts = select(func.count()).where(ApiKeyAccount.api_key_id == ApiKey.id).scalar_subquery()
    return [
        IssuedKey(key.id, key.name, tuple(key.scopes), bound, key.created_at, key.revoked_at, key.last_used_at)
        for key, bound in session.execute(select(ApiKey, accounts).order_by(ApiKey.name))
    ]


def digest_of(plain: str) -> str:
    """SHA-256 in hex: the only form in which a key is stored."""
    return hashlib.sha256(plain.encode()).hexdigest()
