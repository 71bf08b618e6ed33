"""Invoices that are to be paid by transfer and were not, now or at the end of an earlier day, with their age."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from models.accounts import Account
from models.invoices import Invoice, Receivable, ReceivableStatus
from models.ledger import LedgerMovement
from models.withdrawn_payments import WithdrawnPayment
from tasks.billing.receivables import due_on
from tasks.closing.balances import counts
from tasks.policy import Seller


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInvoice:
    number: str
    issued_on: date
    due_at: datetime
    due_on: date
    """as the document says"""
    days_overdue: int
    """how many days have passed since `due_on`; 0 until that day is over"""
    order_number: str
    account_id: UUID
    account: str
    amount_minor: int
    currency: str
    balance_minor: int
    """what the account has in this currency: it pays for orders, never for an invoice that was issued"""


_Replaced = aliased(Receivable)
"""the sum on the invoice that the listed one replaced"""


def open_invoices(session: Session, *, today: date, on: date | None = None, seller: Seller) -> list[OpenInvoice]:
    """By due date. today: by the seller's clock. on: what was open at the end of that day of the seller's; None: now."""
    is_open: ColumnElement[bool] = Receivable.settled_at.is_(None)
    owed: ColumnElement[int] = Receivable.amount_minor.expression
    balance: ColumnElement[int] = _BALANCE
    if on is not None:
        end = seller.end_of(on)
        owed = _owed(end)
        is_cancelled = and_(Receivable.status == ReceivableStatus.CANCELLED, Receivable.settled_at < end)
        is_open = and_(Invoice.issued_on <= on, owed > 0, ~is_cancelled, ~_is_replaced(on))
        held = _held(on, seller)
        balance = held.c.balance_minor
    query = (
        select(Invoice, Receivable, Account.name, func.coalesce(balance, 0), owed)
        .join(Receivable, Receivable.invoice_id == Invoice.id)
        .join(Account, Account.id == Invoice.account_id)
        .outerjoin(_Replaced, _Replaced.invoice_id == Invoice.corrects_id)
        .where(is_open)
        .order_by(Receivable.due_at, Invoice.number)
    )
    if on is not None:
        of_account = and_(held.c.account_id == Invoice.account_id, held.c.currency == Receivable.currency)
        query = query.outerjoin(held, of_account)
    day = on or today
    return [_open(row[0], row[1], row[2], int(row[3]), int(row[4]), day) for row in session.execute(query)]


_BALANCE = (
    select(LedgerMovement.balance_minor)
    .where(LedgerMovement.account_id == Invoice.account_id, LedgerMovement.currency == Receivable.currency)
    .order_by(LedgerMovement.sequence.desc())
    .limit(1)
    .correlate(Invoice, Receivable)
    .scalar_subquery()
)
"""what the last movement says: it is found by an index, however many there are"""


def _held(on: date, seller: Seller) -> Subquery:
    """The balance of each account and currency at the end of that day, added up once, however many invoices are open."""
    of = LedgerMovement.account_id, LedgerMovement.currency
    invoiced = select(Invoice.account_id).join(Receivable, Receivable.invoice_id == Invoice.id)
    total = func.sum(LedgerMovement.amount_minor).label("balance_minor")
    return (
        select(*of, total).where(LedgerMovement.account_id.in_(invoiced), counts(on, seller)).group_by(*of).subquery()
    )


def _owed(end: datetime) -> ColumnElement[int]:
    """What was owed on it then: the sum that `ledger_check.receivables` expects, of the payments that counted then.

    Not `amount_minor`, which says what is asked for now: payments recorded since, on either invoice, have changed it.
    """
    asked = Invoice.due_minor + case((_Replaced.invoice_id.is_(None), 0), else_=Invoice.paid_before_minor)
    return asked - _counted(_Replaced, end) - _counted(Receivable, end)


def _counted(owed: type[Receivable], end: datetime) -> ColumnElement[int]:
    """What then counted as paid, though it may have been withdrawn since."""
    withdrawn = select(func.max(WithdrawnPayment.amount_minor)).where(
        WithdrawnPayment.invoice_id == owed.invoice_id,
        WithdrawnPayment.paid_at < end,
        WithdrawnPayment.unpaid_at >= end,
    )
    is_paid = and_(owed.status == ReceivableStatus.PAID, owed.settled_at < end)
    return func.greatest(case((is_paid, owed.amount_minor), else_=0), withdrawn.scalar_subquery())


def _is_replaced(on: date) -> ColumnElement[bool]:
    """Whether another invoice asked for its sum by then."""
    instead, asking = aliased(Invoice), aliased(Receivable)
    return exists().where(instead.corrects_id == Invoice.id, instead.issued_on <= on, asking.invoice_id == instead.id)


def _open(document: Invoice, owed: Receivable, account: str, balance: int, amount: int, day: date) -> OpenInvoice:
    due = due_on(owed.due_at, document.timezone)
    return OpenInvoice(
        number=document.number,
        issued_on=document.issued_on,
        due_at=owed.due_at,
        due_on=due,
        days_overdue=max((day - due).days, 0),
        order_number=document.order_number,
        account_id=document.account_id,
        account=account,
        amount_minor=amount,
        currency=owed.currency,
        balance_minor=balance,
    )


@dataclass(frozen=True, slots=True)
class OpenTotal:
    """What is open in a currency."""

    currency: str
    invoices: int = 0
    amount_minor: int = 0
    overdue_minor: int = 0


def totals(found: Iterable[OpenInvoice]) -> list[OpenTotal]:
    """By currency."""
    sums: dict[str, OpenTotal] = {}
    for each in found:
        so_far = sums.get(each.currency, OpenTotal(each.currency))
        sums[each.currency] = replace(
            so_far,
            invoices=so_far.invoices + 1,
            amount_minor=so_far.amount_minor + each.amount_minor,
            overdue_minor=so_far.overdue_minor + (each.amount_minor if each.days_overdue else 0),
        )
    return [sums[currency] for currency in sorted(sums)]
