"""What accounts have as balance, now or at the end of an earlier day: the seller owes it to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.ledger import LedgerMovement


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    account_id: UUID
    account: str
    currency: str
    balance_minor: int


def balances(session: Session, *, until: datetime | None = None) -> list[Balance]:
    """Those that are not zero, by currency and name. until: only movements before that count."""
    total = func.sum(LedgerMovement.amount_minor)
    query = (
        select(Account.id, Account.name, LedgerMovement.currency, total)
        .join(Account, Account.id == LedgerMovement.account_id)
        .group_by(Account.id, LedgerMovement.currency)
        .having(total != 0)
        .order_by(LedgerMovement.currency, Account.name, Account.id)
    )
    if until is not None:
        query = query.where(LedgerMovement.created_at < until)
    return [
        Balance(account_id=row[0], account=row[1], currency=row[2], balance_minor=int(row[3]))
        for row in session.execute(query)
    ]


def totals(found: Iterable[Balance]) -> dict[str, int]:
    """By currency, in minor units."""
    sums: dict[str, int] = {}
    for each in found:
        sums[each.currency] = sums.get(each.currency, 0) + each.balance_minor
    return sums
