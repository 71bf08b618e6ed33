"""Documents line by line, with the period that each charge is for: what income belongs to a later month.

A charge and what it credits are rows of their own. A document's rows add up to its net and VAT.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceReason
from models.rules.period import Interval
from models.rules.timezone import local
from tasks.invoices.items import credit_timezones


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLine:
    number: str
    kind: InvoiceKind
    reason: InvoiceReason
    issued_on: date
    amends: str | None
    """the earlier document whose charge this row credits, takes back or taxes anew; None: what is sold with this document"""
    order_number: str
    account_id: UUID
    buyer: str
    product: str
    tier: str
    seats: int
    interval: Interval | None
    from_on: date
    to_on: date | None
    """as the document says: the day on which the next period begins. None on credits that are older than their column"""
    from_at: datetime
    to_at: datetime | None
    currency: str
    net_minor: int
    vat_minor: int


def document_lines(session: Session, first: date, last: date) -> Iterator[DocumentLine]:
    """Of all documents that were issued from `first` to `last`, without trials; those of one day are read at a time."""
    within = Invoice.issued_on.between(first, last)
    for day in session.scalars(select(Invoice.issued_on).where(within).distinct().order_by(Invoice.issued_on)).all():
        for document, line in session.execute(_LINES.where(Invoice.issued_on == day)).all():
            for part in _parts(document, line):
                yield _told(document, line, part)


_LINES = (
    select(Invoice, InvoiceLine)
    .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
    .order_by(Invoice.series, Invoice.year, Invoice.sequence, InvoiceLine.position)
)


class _Part(NamedTuple):
    amends: str | None
    tier: str
    seats: int
    interval: Interval | None
    start: datetime
    end: datetime | None
    timezone: str
    net_minor: int
    vat_minor: int


def _parts(document: Invoice, line: InvoiceLine) -> Iterator[_Part]:
    """The line's charge, and its credit."""
    if line.interval is None:
        return
    vat_only = document.reason is InvoiceReason.VAT_NUMBER_CONFIRMED
    charge = _Part(
        *(document.corrects_number, line.tier_code, line.seats, line.interval, line.period_start, line.period_end),
        *(document.timezone, line.charge_minor, line.charge_tax_minor),
    )
    if not vat_only or line.charge_minor:
        yield charge
    if not line.unused_minor and not line.unused_tax_minor:
        return
    credit = charge._replace(
        amends=line.from_invoice or document.corrects_number,
        net_minor=-line.unused_minor,
        vat_minor=-line.unused_tax_minor,
    )
    yield (
        credit
        if vat_only
        else credit._replace(
            tier=line.from_tier or line.tier_code,
            seats=line.from_seats or line.seats,
            interval=line.from_interval,
            end=line.from_period_end,
            timezone=credit_timezones(document).get(line.product_code, document.timezone),
        )
    )


def _told(document: Invoice, line: InvoiceLine, part: _Part) -> DocumentLine:
    return DocumentLine(
        number=document.number,
        kind=document.kind,
        reason=document.reason,
        issued_on=document.issued_on,
        amends=part.amends,
        order_number=document.order_number,
        account_id=document.account_id,
        buyer=document.buyer["name"],
        product=line.product_code,
        tier=part.tier,
        seats=part.seats,
        interval=part.interval,
        from_on=local(part.start, part.timezone).date(),
        to_on=local(part.end, part.timezone).date() if part.end else None,
        from_at=part.start,
        to_at=part.end,
        currency=document.currency,
        net_minor=document.sign * part.net_minor,
        vat_minor=document.sign * part.vat_minor,
    )
