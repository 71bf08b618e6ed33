"""What accounts have as balance, now or at the end of an earlier day: the seller owes it to them.

Now it is what they can spend. At the end of a day it is what the documents issued by then say, so that both add up to what was paid.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models.accounts import Account
from models.invoices import Invoice, InvoiceReason
from models.ledger import Cause, LedgerMovement, MovementKind
from models.orders import Order
from tasks.policy import Seller


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


def balances(session: Session, on: date | None, *, seller: Seller) -> list[Balance]:
    """Of all accounts that ever had one, by currency and name. on: at the end of that day of the seller's; None: what they can spend now."""
    query = (
        select(Account.id, Account.name, LedgerMovement.currency, _BALANCE, _GRANTED)
        .join(Account, Account.id == LedgerMovement.account_id)
        .group_by(Account.id, LedgerMovement.currency)
        .order_by(LedgerMovement.currency, Account.name, Account.id)
    )
    if on is not None:
        query = query.where(counts(on, seller))
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


def totals(session: Session, on: date | None, *, seller: Seller) -> list[Total]:
    """What all `balances` add up to, by currency."""
    moved = LedgerMovement.currency
    query = select(moved, _BALANCE, _GRANTED).group_by(moved).order_by(moved)
    if on is not None:
        query = query.where(counts(on, seller))
    return [Total(row[0], int(row[1]), int(row[2])) for row in session.execute(query)]


_MADE_FOR = func.split_part(LedgerMovement.cause, ":", 3)
_IS_RETURNED = and_(
    LedgerMovement.kind == MovementKind.RELEASED,
    LedgerMovement.cause == func.concat("order:", LedgerMovement.order_id, f":{Cause.RELEASE}:", Order.revision),
)
"""what the order had reserved last; earlier reservations and their releases cancel out"""
_STATED_BY = case(
    (_MADE_FOR == Cause.VAT_CREDIT, InvoiceReason.VAT_NUMBER_CONFIRMED),
    (or_(_MADE_FOR.in_((Cause.TRANSFER_CREDIT, Cause.TAKE_BACK)), _IS_RETURNED), InvoiceReason.REFUND),
    else_=InvoiceReason.ORDER,
)
_Document = aliased(Invoice)


def counts(on: date, seller: Seller) -> ColumnElement[bool]:
    """Whether a movement counts at the end of a day: an order's from the day of the document that states it, not from when it was made.

    So the balance that an order has only reserved is still owed to the account, and what was spent is so in the month of the invoice.
    """
    is_stated = exists().where(
        Order.id == LedgerMovement.order_id,
        _Document.order_id == LedgerMovement.order_id,
        _Document.reason == _STATED_BY,
        _Document.issued_on <= on,
    )
    return or_(is_stated, and_(LedgerMovement.order_id.is_(None), LedgerMovement.created_at < seller.end_of(on)))
