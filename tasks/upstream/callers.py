"""Who calls: the holder of a valid API key, recognized by its hash."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, bindparam, cast, exists, false, func, select, update
from sqlalchemy.orm import Session

from models.api_keys import ApiKey, ApiKeyAccount
from models.prepared import Prepared
from tasks.upstream.api_keys import digest_of


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid key."""

    key_id: UUID
    scopes: frozenset[str]
    bound_to: UUID | None = None
    """the requested account, if the key may act for it"""


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
