"""Writes an invoice or credit note: composed as a draft, then numbered and inserted, in the transaction of what it documents.

Each cause gets one document.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models import order_cache
from models.base import uuid7
from models.invoice_numbers import day_of_both, insert_numbered
from models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceReason
from models.orders import Order
from models.prepared import Prepared
from models.rules import vat
from models.rules.timezone import local
from models.sold_to import SoldTo, sold_to
from tasks import display_names
from tasks.billing.credited import name_countries
from tasks.wiring import now, policy


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a document's total is settled; see the columns of `Invoice`."""

    by_the_order: bool = True
    """whether money moved by the means with which the order was paid"""

    balance_used_minor: int = 0
    paid_before_minor: int = 0
    due_minor: int = 0
    to_balance_minor: int = 0
    payment_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document before it has its number."""

    order: Order
    cause: str
    reason: InvoiceReason
    lines: Sequence[InvoiceLine]
    settlement: Settlement = field(default_factory=Settlement)
    sign: int = 1
    """-1 if the document reverses `lines`, which are then those of the document that it corrects"""
    corrects: Invoice | None = None
    buyer: dict[str, Any] | None = None
    """None: as the order was sold"""

    @property
    def net_minor(self) -> int:
        return self.sign * sum(line.net_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return self.sign * sum(line.tax_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        return self.net_minor + self.tax_minor

    @property
    def kind(self) -> InvoiceKind:
        gives = self.total_minor < 0 or (self.total_minor == 0 and self.sign == -1)
        return InvoiceKind.CREDIT_NOTE if gives else InvoiceKind.INVOICE


_WRITTEN = Prepared[Invoice](select(Invoice).where(Invoice.cause == bindparam("because")), Invoice)


def write(session: Session, draft: Draft, *, on: date | None = None) -> Invoice:
    """Number and insert the document; if its cause already has one, return that. The caller has locked the order's row.

    on: its day, unless the number before has a later one; None: today
    """
    order = draft.order
    at = now()
    place = sold_to(order, order_cache.account(session, order))
    values = {
        **_settled(session, draft),
        "reason": draft.reason,
        "cause": draft.cause,
        "order_id": order.id,
        "account_id": order.account_id,
        "corrects_id": draft.corrects.id if draft.corrects else None,
        "corrects_number": draft.corrects.number if draft.corrects else None,
        "sign": draft.sign,
        "issued_on": on or policy().seller.day(at),
        "issued_at": at,
        "supplied_at": order.as_of,
        "supplied_on": _day_of_supply(order.as_of, place),
        "order_number": str(order.number),
        "language": order.language,
        "timezone": place.timezone,
        "seller": _seller(),
        "buyer": draft.buyer or _buyer(session, order),
        "currency": order.currency,
        "net_minor": draft.net_minor,
        "tax_minor": draft.tax_minor,
        "total_minor": draft.total_minor,
    }
    document = Invoice(**values, id=uuid7(), kind=draft.kind)
    if draft.corrects:
        name_countries(session, draft.lines)
    if not insert_numbered(session, document, draft.lines):
        return _WRITTEN.one(session, {"because": draft.cause})[0]
    return document


def _day_of_supply(at: datetime, place: SoldTo) -> date:
    """By the clock of the buyer's country, which determined the rate; by the account's if no VAT rate is known."""
    return local(at, vat.clock_of(place.country, postcode=place.postcode) or place.timezone).date()


def write_both(session: Session, one: Draft, other: Draft) -> tuple[Invoice, Invoice]:
    """Two documents of one transaction, of the same day, a credit note before an invoice, as `insert_numbered` wants them issued."""
    day = day_of_both(session, policy().seller.day(now()))
    if one.kind is InvoiceKind.INVOICE and other.kind is InvoiceKind.CREDIT_NOTE:
        credit_note = write(session, other, on=day)
        return write(session, one, on=day), credit_note
    return write(session, one, on=day), write(session, other, on=day)


def _buyer(session: Session, order: Order) -> dict[str, Any]:
    """The buyer with today's name and the address that the order was sold to."""
    account = order_cache.account(session, order)
    place = sold_to(order, account)
    return {
        "name": account.name,
        "contact": order_cache.contact(session, order).name,
        "address": place.address,
        "postcode": place.postcode,
        "country": place.country,
        "vat_number": order.vat_number,
        **({"credit_timezones": dict(place.credit_timezones)} if place.credit_timezones else {}),
    }


def _seller() -> dict[str, Any]:
    seller = policy().seller
    return {
        "name": seller.name,
        "address": seller.address,
        "country": seller.country,
        "vat_number": seller.vat_number,
        "email": seller.support_email,
        "bank_account": seller.bank_account,
        "legal_notice": seller.legal_notice,
    }


def _settled(session: Session, draft: Draft) -> dict[str, Any]:
    order, settlement = draft.order, draft.settlement
    return {
        "balance_used_minor": settlement.balance_used_minor,
        "paid_before_minor": settlement.paid_before_minor,
        "due_minor": settlement.due_minor,
        "to_balance_minor": settlement.to_balance_minor,
        "payment_kind": order.payment_kind if settlement.by_the_order else None,
        "payment_due_at": settlement.payment_due_at,
        "card": display_names.card(session, order) if settlement.by_the_order else None,
    }
