"""Invoices that are to be paid by transfer and were not, now or at the end of an earlier day, with their age."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models.accounts import Account
from models.invoices import Invoice, Receivable, ReceivableStatus
from models.ledger import LedgerMovement
from models.withdrawn_payments import WithdrawnPayment
from tasks.billing.receivables import due_on
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


def open_invoices(session: Session, *, today: date, on: date | None = None, seller: Seller) -> list[OpenInvoice]:
    """By due date. today: by the seller's clock. on: what was open at the end of that day of the seller's; None: now."""
    is_open: ColumnElement[bool] = Receivable.settled_at.is_(None)
    owed: ColumnElement[int] = Receivable.amount_minor.expression
    movement = and_(LedgerMovement.account_id == Invoice.account_id, LedgerMovement.currency == Receivable.currency)
    if on is not None:
        end = seller.end_of(on)
        counted_as_paid = exists().where(WithdrawnPayment.invoice_id == Invoice.id, _covers(end))
        is_open = and_(Invoice.issued_on <= on, or_(is_open, Receivable.settled_at >= end), ~counted_as_paid)
        owed = owed - _paid_on_the_replaced(end)
        movement = and_(movement, LedgerMovement.created_at < end)
    balance = select(func.coalesce(func.sum(LedgerMovement.amount_minor), 0)).where(movement)
    query = (
        select(Invoice, Receivable, Account.name, balance.scalar_subquery(), owed)
        .join(Receivable, Receivable.invoice_id == Invoice.id)
        .join(Account, Account.id == Invoice.account_id)
        .where(is_open)
        .order_by(Receivable.due_at, Invoice.number)
    )
    day = on or today
    return [_open(row[0], row[1], row[2], int(row[3]), int(row[4]), day) for row in session.execute(query)]


def _covers(end: datetime) -> ColumnElement[bool]:
    """Whether a payment that was withdrawn later still counted at the end of that day."""
    return and_(WithdrawnPayment.paid_at < end, WithdrawnPayment.unpaid_at >= end)


def _paid_on_the_replaced(end: datetime) -> ColumnElement[int]:
    """What then counted as paid on the invoice that this one replaced, and is owed on this one since it was withdrawn.

    While that one is paid it is not: it is listed itself for the days on which it was open.
    """
    replaced = aliased(Receivable)
    withdrawn = (
        select(func.max(WithdrawnPayment.amount_minor))  # each is of the whole sum
        .join(replaced, replaced.invoice_id == WithdrawnPayment.invoice_id)
        .where(replaced.invoice_id == Invoice.corrects_id, replaced.status == ReceivableStatus.CANCELLED, _covers(end))
    )
    return func.coalesce(withdrawn.scalar_subquery(), 0)


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
class Owed:
    """What is open in a currency."""

    currency: str
    invoices: int = 0
    amount_minor: int = 0
    overdue_minor: int = 0


def totals(found: Iterable[OpenInvoice]) -> list[Owed]:
    """By currency."""
    sums: dict[str, Owed] = {}
    for each in found:
        so_far = sums.get(each.currency, Owed(each.currency))
        sums[each.currency] = replace(
            so_far,
            invoices=so_far.invoices + 1,
            amount_minor=so_far.amount_minor + each.amount_minor,
            overdue_minor=so_far.overdue_minor + (each.amount_minor if each.days_overdue else 0),
        )
    return [sums[currency] for currency in sorted(sums)]
