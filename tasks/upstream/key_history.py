"""What happened to an API key: recorded in the transaction of the change, and told later. Never the key, nor its hash."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.api_keys import ApiKey, ApiKeyChange, KeyChange
from tasks.plain_text import name_typed, typed


@dataclass(frozen=True, slots=True)
class PastChange:
    """Where nothing but the time is known, because nobody recorded it then, the rest is None."""

    changed_at: datetime
    what: KeyChange
    accounts: tuple[tuple[UUID, str], ...] | None = None
    """id and present name of each that it concerned, by name"""
    name: str | None = None
    """the key's, since then"""
    scopes: tuple[str, ...] | None = None
    """the key's, since then"""
    changed_by: str | None = None
    changed_why: str | None = None


def record(
    session: Session,
    key: ApiKey,
    what: KeyChange,
    *,
    accounts: Collection[UUID] | ScalarSelect[Any],
    by: str,
    why: str | None,
    at: datetime | None = None,
) -> ApiKeyChange:
    """Record what was done to a key, whose row the transaction holds. at: now, if it is not given."""
    change = ApiKeyChange(
        api_key_id=key.id,
        what=what,
        accounts=accounts if isinstance(accounts, ScalarSelect) else sorted(accounts),
        name=key.name,
        scopes=key.scopes,
        changed_by=name_typed(by),
        changed_why=typed(why) if why else None,
    )
    if at is not None:
        change.changed_at = at
    session.add(change)
    session.flush()
    return change


def history(session: Session, key_id: UUID) -> list[PastChange]:
    """All that happened to the key, the oldest first.

    What an older release did is not recorded; when a key was issued and revoked, its own row tells.
    """
    query = select(ApiKeyChange).where(ApiKeyChange.api_key_id == key_id)
    changes = session.scalars(query.order_by(ApiKeyChange.changed_at, ApiKeyChange.id)).all()
    past = told(session, changes)
    key = session.get_one(ApiKey, key_id)
    recorded = {change.what for change in changes}
    if KeyChange.ISSUED not in recorded:
        past.insert(0, PastChange(key.created_at, KeyChange.ISSUED))
    if key.revoked_at is not None and KeyChange.REVOKED not in recorded:
        past.append(PastChange(key.revoked_at, KeyChange.REVOKED))
    return past


def told(session: Session, changes: Collection[ApiKeyChange]) -> list[PastChange]:
    """These changes, with the names of the accounts."""
    concerned = select(func.unnest(ApiKeyChange.accounts)).where(ApiKeyChange.id.in_([each.id for each in changes]))
    accounts = session.execute(select(Account.id, Account.name).where(Account.id.in_(concerned)))
    names = {row.id: row.name for row in accounts}
    return [
        PastChange(
            changed_at=change.changed_at,
            what=change.what,
            accounts=_by_name((account_id, names.get(account_id, "")) for account_id in change.accounts),
            name=change.name,
            scopes=tuple(change.scopes),
            changed_by=change.changed_by,
            changed_why=change.changed_why,
        )
        for change in changes
    ]


def _by_name(accounts: Iterable[tuple[UUID, str]]) -> tuple[tuple[UUID, str], ...]:
    return tuple(sorted(accounts, key=lambda account: (account[1], account[0])))
