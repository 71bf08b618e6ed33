"""Support cases, for a person who answers them: lists them, shows one, and closes one with a record of who did."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.accounts import Account
from models.errors import Explained, Unknown
from models.support_cases import OPEN, SupportCase
from tasks.plain_text import name_typed, typed
from tasks.wiring import now


class UnknownCase(Unknown):
    """No support case has this number."""


class ClosedAlready(Explained):
    """The case is closed; the message says by whom and why."""


def listing(session: Session, *, closed_too: bool, limit: int) -> list[tuple[SupportCase, str]]:
    """Cases with the names of their accounts: the open ones, oldest first; with `closed_too` all, latest first."""
    query = select(SupportCase, Account.name).join(Account, Account.id == SupportCase.account_id).limit(limit)
    latest_first = (SupportCase.created_at.desc(), SupportCase.number.desc())
    oldest_first = (SupportCase.created_at, SupportCase.number)
    chosen = query.order_by(*latest_first) if closed_too else query.where(OPEN).order_by(*oldest_first)
    return [(case, account) for case, account in session.execute(chosen)]


def find(session: Session, number: int) -> tuple[SupportCase, str]:
    """The case, with the name of its account. Raises UnknownCase."""
    query = select(SupportCase, Account.name).join(Account, Account.id == SupportCase.account_id)
    found = session.execute(query.where(SupportCase.number == number)).one_or_none()
    if found is None:
        raise UnknownCase(f"there is no support case {number}; `prorata cases list --all` shows those there are")
    case, account = found
    return case, account


def close(session: Session, number: int, *, by: str, why: str) -> SupportCase:
    """Record that support has answered it: the same request then opens another case. Raises UnknownCase, ClosedAlready."""
    closed = {"closed_at": now(), "closed_by": name_typed(by), "closed_why": typed(why)}
    still_open = update(SupportCase).where(SupportCase.number == number, OPEN).values(**closed)
    case: SupportCase | None = session.scalar(still_open.returning(SupportCase))
    if case is not None:
        return case
    before, _ = find(session, number)
    told = f", by {before.closed_by}: {before.closed_why}" if before.closed_by else ""
    raise ClosedAlready(f"case {number} is closed already{told}")
