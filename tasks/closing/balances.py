"""What accounts have as balance, now or at the end of an earlier day: the seller owes it to them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.ledger import LedgerMovement, MovementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    account_id: UUID
    account: str
    currency: str
    balance_minor: int
    granted_minor: int
    """how much was ever put there by a person (by the accounts file), whatever became of it"""


_BALANCE = func.sum(LedgerMovement.amount_minor)
_GRANTED = func.coalesce(_BALANCE.filter(LedgerMovement.kind == MovementKind.GRANTED), 0)


def balances(session: Session, *, until: datetime | None = None) -> list[Balance]:
    """Of all accounts that ever had one, by currency and name. until: only movements before that count."""
    query = (
        select(Account.id, Account.name, LedgerMovement.currency, _BALANCE, _GRANTED)
        .join(Account, Account.id == LedgerMovement.account_id)
        .group_by(Account.id, LedgerMovement.currency)
        .order_by(LedgerMovement.currency, Account.name, Account.id)
    )
    if until is not None:
        query = query.where(LedgerMovement.created_at < until)
    return [
        Balance(
            account_id=row[0], account=row[1], currency=row[2], balance_minor=int(row[3]), granted_minor=int(row[4])
        )
        for row in session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Total:
    """Of a currency."""

    currency: str
    balance_minor: int
    granted_minor: int


def totals(session: Session, *, until: datetime | None = None) -> list[Total]:
    """What all `balances` add up to, by currency."""
    moved = LedgerMovement.currency
    query = select(moved, _BALANCE, _GRANTED).group_by(moved).order_by(moved)
    if until is not None:
        query = query.where(LedgerMovement.created_at < until)
    return [Total(row[0], int(row[1]), int(row[2])) for row in session.execute(query)]
