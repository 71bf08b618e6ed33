"""How `prorata keys` shows keys: what they may do, for which accounts, and what happened to them. Never the key."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from models.api_keys import KeyChange
from tasks.upstream.api_keys import IssuedKey
from tasks.upstream.key_history import PastChange
from worker.commands.screen import moment, plain
from worker.printed_tables import Column, Rows

_KEYS = (
    Column("name"),
    Column("scopes"),
    Column("accounts", right=True),
    Column("created (UTC)"),
    Column("revoked (UTC)"),
    Column("last used (UTC)"),
    Column("id", spare=True),
)
_BOUND = (Column("account_id"), Column("name"))
_HISTORY = (Column("changed (UTC)"), Column("what"), Column("by"), Column("account_id"), Column("name"), Column("why"))


def keys_table(rows: Sequence[IssuedKey]) -> Rows:
    cells = [
        (
            plain(row.name),
            " ".join(row.scopes),
            str(row.accounts),
            moment(row.created_at),
            moment(row.revoked_at) if row.revoked_at else "",
            moment(row.last_used_at) if row.last_used_at else "",
            str(row.id),
        )
        for row in rows
    ]
    return Rows(_KEYS, cells)


def bound_table(bound: Sequence[tuple[UUID, str]]) -> Rows:
    return Rows(_BOUND, [(str(account_id), plain(called)) for account_id, called in bound])


def history_table(past: Sequence[PastChange]) -> Rows:
    """A row for each account, so that whoever looks for one finds all about it in its rows; one with their number where not all are named."""
    return Rows(_HISTORY, [row for change in past for row in _rows(change)])


def key_as_json(row: IssuedKey, bound: Sequence[tuple[UUID, str]]) -> dict[str, Any]:
    return asdict(row) | {"bound_to": _accounts(bound), "bound_to_cut": len(bound) < row.accounts}


def changes_as_json(past: Sequence[PastChange]) -> list[dict[str, Any]]:
    return [
        asdict(change)
        | {"accounts": None if change.accounts is None else _accounts(change.accounts), "accounts_cut": _is_cut(change)}
        for change in past
    ]


def _accounts(named: Sequence[tuple[UUID, str]]) -> list[dict[str, Any]]:
    return [{"id": account_id, "name": called} for account_id, called in named]


def _rows(change: PastChange) -> Iterator[tuple[str, ...]]:
    when, by, why = moment(change.changed_at), plain(change.changed_by or ""), plain(change.changed_why or "")
    if _is_cut(change):
        yield when, _what(change), by, "", f"{change.accounts_in_all} accounts", why
        return
    for account in change.accounts or [None]:
        account_id, called = (str(account[0]), plain(account[1])) if account else ("", "")
        yield when, _what(change), by, account_id, called, why


def _is_cut(change: PastChange) -> bool:
    """Whether it concerned more accounts than are named."""
    return change.accounts is not None and len(change.accounts) != change.accounts_in_all


def _what(change: PastChange) -> str:
    match change.what:
        case KeyChange.RENAMED:
            return f"renamed to {plain(change.name or '')}"
        case KeyChange.SCOPES_CHANGED:
            return f"scopes changed to {' '.join(change.scopes or ())}"
        case what:
            return what
