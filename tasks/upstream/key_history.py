"""What happened to an API key: recorded in the transaction of the change, and told later. Never the key, nor its hash."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ScalarSelect, Uuid, column, func, select, true
from sqlalchemy.orm import Session, defer

from models.accounts import Account
from models.api_keys import ApiKey, ApiKeyChange, KeyChange
from tasks.plain_text import name_typed, typed

NAMED: Final = 1_000
"""accounts that are told by id and name, unless more are asked for: a key, and a change of it, may concern a million"""


@dataclass(frozen=True, slots=True)
class PastChange:
    """Where nothing but the time is known, because nobody recorded it then, the rest is None."""

    changed_at: datetime
    what: KeyChange
    accounts: tuple[tuple[UUID, str], ...] | None = None
    """id and present name of each that it concerned, by name; the first of them, where they are many"""
    accounts_in_all: int | None = None
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


def history(session: Session, key_id: UUID, *, at_most: int = NAMED) -> list[PastChange]:
    """All that happened to the key, the oldest first, each with `at_most` accounts.

    What an older release did is not recorded; when a key was issued and revoked, its own row tells.
    """
    query = select(ApiKeyChange).where(ApiKeyChange.api_key_id == key_id).options(defer(ApiKeyChange.accounts))
    changes = session.scalars(query.order_by(ApiKeyChange.changed_at, ApiKeyChange.id)).all()
    past = told(session, changes, at_most=at_most)
    key = session.get_one(ApiKey, key_id)
    recorded = {change.what for change in changes}
    if KeyChange.ISSUED not in recorded:
        past.insert(0, PastChange(key.created_at, KeyChange.ISSUED))
    if key.revoked_at is not None and KeyChange.REVOKED not in recorded:
        past.append(PastChange(key.revoked_at, KeyChange.REVOKED))
    return past


def told(session: Session, changes: Collection[ApiKeyChange], *, at_most: int = NAMED) -> list[PastChange]:
    """These changes, each with the ids and names of `at_most` accounts, which the database chooses: it need not send them all."""
    ids = [change.id for change in changes]
    concerned = func.unnest(ApiKeyChange.accounts).table_valued(column("id", Uuid), name="concerned").render_derived()
    name = func.coalesce(Account.name, "").label("name")
    named = select(concerned.c.id, name).outerjoin_from(concerned, Account, Account.id == concerned.c.id)
    first = named.order_by(name, concerned.c.id).limit(at_most).correlate(ApiKeyChange).lateral("first")
    query = select(ApiKeyChange.id, first.c.id, first.c.name).join(first, true()).where(ApiKeyChange.id.in_(ids))
    accounts: dict[UUID, list[tuple[UUID, str]]] = {each: [] for each in ids}
    for change_id, account_id, called in session.execute(query.order_by(first.c.name, first.c.id)):
        accounts[change_id].append((account_id, called))
    in_all = func.cardinality(ApiKeyChange.accounts).label("in_all")
    counted = session.execute(select(ApiKeyChange.id, in_all).where(ApiKeyChange.id.in_(ids)))
    numbers = {row.id: row.in_all for row in counted}
    return [
        PastChange(
            changed_at=change.changed_at,
            what=change.what,
            accounts=tuple(accounts[change.id]),
            accounts_in_all=numbers[change.id],
            name=change.name,
            scopes=tuple(change.scopes),
            changed_by=change.changed_by,
            changed_why=change.changed_why,
        )
        for change in changes
    ]
