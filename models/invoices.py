"""Invoices and credit notes: numbered without gaps, frozen as they were issued. Mistakes are corrected by another document.

Amounts are minor units of the document's currency, signed as the customer sees them: an invoice charges (zero or more), a credit
note credits (zero or less). A correction that takes a document back repeats its lines; `sign` says that they count negatively.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Select,
    SmallInteger,
    String,
    UniqueConstraint,
    bindparam,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from models.accounts import Language
from models.base import Base, CreatedAt, Currency, Key, Listed, Minor
from models.never_changed import freeze_documents
from models.orders import PricedLine
from models.prepared import Prepared
from models.rules.vat import Treatment
from models.states import PaymentKind

Row = TypeVarTuple("Row")


class InvoiceKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceReason(StrEnum):
    """Why a document is issued."""

    ORDER = "order"
    REFUND = "refund"
    """reverses the document of an order that was refunded"""
    VAT_NUMBER_INVALID = "vat_number_invalid"
    """a VAT number taken on trust turned out invalid: a credit note reverses the document without VAT, then an invoice charges it with VAT"""
    VAT_NUMBER_CONFIRMED = "vat_number_confirmed"
    """VAT charged during an outage of the registry is credited"""


OF_VAT = (InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED)
"""why VAT is corrected once an order is completed"""


class ReceivableStatus(StrEnum):
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"


OWED = "status = 'open'"
"""condition of the receivables' index; queries must repeat it to use the index"""


class InvoiceSeries(Base):
    """The last number given in a series and year. The issuing transaction locks this row until it ends, so no number is lost."""

    __tablename__ = "invoice_series"

    series: Mapped[str] = mapped_column(String(10), primary_key=True)
    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    last_sequence: Mapped[int]
    last_issued_on: Mapped[date | None] = mapped_column(Date)
    """the day of the last number's document; None if that is older than this column"""
    unordered_until: Mapped[int] = mapped_column(server_default="0")
    """up to this number days may go back: these were given before the statement that numbers kept them in order"""


class Invoice(Base):
    """An issued document; the database refuses to change or delete it."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("series", "year", "sequence"),
        CheckConstraint("sequence > 0", name="sequence_from_one"),
        CheckConstraint("total_minor = net_minor + tax_minor", name="total_adds_up"),
        CheckConstraint("kind <> 'invoice' or total_minor >= 0", name="invoice_asks"),
        CheckConstraint("kind <> 'credit_note' or total_minor <= 0", name="credit_note_gives"),
        CheckConstraint(
            "sign in (1, -1) and (sign = 1 or corrects_id is not null)", name="only_a_correction_takes_back"
        ),
        CheckConstraint(
            "due_minor >= 0 and balance_used_minor >= 0 and to_balance_minor >= 0 and paid_before_minor >= 0",
            name="settlement_not_negative",
        ),
        CheckConstraint(
            "sign = -1 or due_minor = total_minor + to_balance_minor - balance_used_minor - paid_before_minor",
            name="settlement_adds_up",
        ),
        Index("ix_invoices_account", "account_id", "id"),
        Index("ix_invoices_corrects_id", "corrects_id", postgresql_where="corrects_id is not null"),
    )

    id: Mapped[Key]
    kind: Mapped[InvoiceKind] = mapped_column(Listed(InvoiceKind))
    reason: Mapped[InvoiceReason] = mapped_column(Listed(InvoiceReason))
    series: Mapped[str] = mapped_column(String(10))
    year: Mapped[int] = mapped_column(SmallInteger)
    sequence: Mapped[int]
    """1, 2, 3 ... per series and year"""
    number: Mapped[str] = mapped_column(String(30), unique=True)
    """the number that people use: INV-2026-000001"""
    cause: Mapped[str] = mapped_column(String(120), unique=True)
    """why it was issued, e.g. `order:{id}:invoice`: a cause is invoiced once"""
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.id"))
    corrects_number: Mapped[str | None] = mapped_column(String(30))
    sign: Mapped[int] = mapped_column(SmallInteger, default=1)

    issued_on: Mapped[date] = mapped_column(Date, index=True)
    """the day of `issued_at` on the seller's clock; the next one if the series already has a document of that (see `invoice_numbers`)"""
    issued_at: Mapped[datetime]
    supplied_at: Mapped[datetime]
    """when the change or purchase that it invoices took effect"""
    supplied_on: Mapped[date | None] = mapped_column(Date, index=True)
    """the same as the day that determined the VAT rate; None on documents older than this column, which name the day in `timezone`"""
    order_number: Mapped[str] = mapped_column(String(20))
    language: Mapped[Language] = mapped_column(Listed(Language))
    timezone: Mapped[str] = mapped_column(String(60))
    seller: Mapped[dict[str, Any]]
    """name, address, country, vat_number, email, bank_account, legal_notice: as on that day"""
    buyer: Mapped[dict[str, Any]]
    """name, contact, address, postcode, country, vat_number: as on that day; credit_timezones: as in `models.sold_to`, or absent"""

    currency: Mapped[Currency]
    net_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    balance_used_minor: Mapped[Minor]
    """on a refund's credit note: what was taken back from the balance, because the charge had been rounded up by it"""
    paid_before_minor: Mapped[Minor] = mapped_column(default=0)
    """what was paid on the document that this one replaces; on a refund's credit note, how much of the charge was refunded"""
    due_minor: Mapped[Minor]
    to_balance_minor: Mapped[Minor]
    payment_kind: Mapped[PaymentKind | None] = mapped_column(Listed(PaymentKind))
    """None on a refund's credit note if the money was refunded by other means than to the card"""
    payment_due_at: Mapped[datetime | None]
    card: Mapped[str | None] = mapped_column(String(60))
    """how the customer recognizes the charged card: Visa •••• 4242"""
    created_at: Mapped[CreatedAt]

    lines: Mapped[list["InvoiceLine"]] = relationship(lazy="raise", order_by="InvoiceLine.position")


class InvoiceLine(PricedLine, Base):
    """An order's line as it was charged, with the names in the catalogue on that day."""

    __tablename__ = "invoice_lines"

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    product_name: Mapped[str] = mapped_column(String(200))
    tier_name: Mapped[str] = mapped_column(String(200))
    from_tier_name: Mapped[str | None] = mapped_column(String(200))
    from_invoice: Mapped[str | None] = mapped_column(String(30))
    """number of the document that charged the period credited here"""
    from_tax_treatment: Mapped[Treatment | None] = mapped_column(Listed(Treatment))
    """of that period's charge; None on lines that credit nothing, and on documents older than this column"""
    from_tax_country: Mapped[str | None] = mapped_column(String(2))
    """whose VAT that period's charge bore, ISO 3166; None if none, and on documents older than this column"""
    tax_base_minor: Mapped[Minor]
    """the net amount on which `charge_tax_minor` is levied: the charge, less what a later change credited of it"""


class Receivable(Base):
    """Money that a customer owes on an invoice. A row of its own, because an issued document never changes, but its payment does."""

    __tablename__ = "receivables"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        Index("ix_receivables_open", "due_at", postgresql_where=OWED),
    )

    invoice_id: Mapped[UUID] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    amount_minor: Mapped[Minor]
    currency: Mapped[Currency]
    due_at: Mapped[datetime]
    status: Mapped[ReceivableStatus] = mapped_column(Listed(ReceivableStatus), default=ReceivableStatus.OPEN)
    created_at: Mapped[CreatedAt]
    settled_at: Mapped[datetime | None]


def in_force(of_one_order: Select[*Row]) -> Select[*Row]:
    """Narrow a query of one order's documents to the one in force: the first, or the one that replaced it."""
    says_the_cost = (Invoice.reason.in_((InvoiceReason.ORDER, InvoiceReason.VAT_NUMBER_INVALID)), Invoice.sign == 1)
    return of_one_order.where(*says_the_cost).order_by(Invoice.corrects_id.is_(None), Invoice.id.desc()).limit(1)


def lines_of(session: Session, invoice: Invoice) -> list[InvoiceLine]:
    """The lines of a document, by position."""
    return [line for (line,) in _LINES.all(session, {"of": invoice.id})]


_LINES = Prepared[InvoiceLine](
    select(InvoiceLine).where(InvoiceLine.invoice_id == bindparam("of")).order_by(InvoiceLine.position), InvoiceLine
)


freeze_documents(Invoice.__table__, InvoiceLine.__table__)
