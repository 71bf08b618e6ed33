"""How the net and VAT of documents divide: by what each share is taxed, and which earlier document it amends.

What a document credits or reverses belongs to the state, rate and VAT number of the document that charged it, which may differ from its own,
and is a share of its own for each such document.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session, aliased

from models.invoices import Invoice, InvoiceLine, InvoiceReason
from models.rules import vat
from models.rules.vat import Treatment
from models.vat_follow_ups import FollowUpReason, VatFollowUp


class Levy(NamedTuple):
    """By what a net amount is taxed, and to which VAT number it was sold."""

    seller_country: str
    tax_country: str
    """the state whose VAT it is; under the reverse charge and out of scope the buyer's country"""
    treatment: Treatment | None
    """None for credits on documents older than migration 0012"""
    rate: Decimal
    vat_number: str | None


class Share(NamedTuple):
    """What of a document is one row."""

    levy: Levy
    amends: str | None
    sale_supplied_on: date


class Divided(NamedTuple):
    """A document by its lines, and by its shares with the net and VAT of each."""

    lines: Sequence[InvoiceLine]
    shares: dict[Share, tuple[int, int]]


def shares(session: Session, chosen: ColumnElement[bool]) -> dict[UUID, Divided]:
    """Of the chosen documents that have lines, by their ids. chosen: a condition on Invoice."""
    rows = (_Line._make(row) for row in session.execute(_LINES.where(chosen)))
    documents = {invoice_id: list(lines) for invoice_id, lines in groupby(rows, lambda row: row.line.invoice_id)}
    return {
        invoice_id: Divided([row.line for row in lines], _summed_up(lines)) for invoice_id, lines in documents.items()
    }


class _Line(NamedTuple):
    """A document's line, with what it says, and what others say, about the charge or credit."""

    line: InvoiceLine
    sign: int
    corrects_id: UUID | None
    corrects_number: str | None
    seller: str
    buyer: str
    number: str | None
    replaced_number: str | None
    charged_seller: str | None
    charged_buyer: str | None
    charged_number: str | None
    confirmed_number: str | None
    """under which what was charged with VAT may be credited without; no document says so if a person pays the VAT (`vat.taken_off`)"""
    sold_on: date
    charge_sold_on: date | None


SUPPLIED_ON = func.coalesce(Invoice.supplied_on, Invoice.issued_on)
"""the day that decided the rate; the day of issue, where a document is older than its column"""
_Charged, _Replaced, _Confirmed = aliased(Invoice), aliased(Invoice), aliased(Invoice)
_Sold, _ChargedFirst = aliased(Invoice), aliased(Invoice)
"""the order's own document, which all others of the order amend"""
_SELLER = case((Invoice.sign == -1, _Replaced.seller["country"].astext), else_=Invoice.seller["country"].astext)
"""who charged the line: the seller may have moved since the document that is reversed"""
_LINES = (
    select(  # in the order of `_Line`
        InvoiceLine,
        Invoice.sign,
        Invoice.corrects_id,
        Invoice.corrects_number,
        _SELLER,
        Invoice.buyer["country"].astext,
        Invoice.buyer["vat_number"].astext,
        _Replaced.buyer["vat_number"].astext,
        _Charged.seller["country"].astext,
        _Charged.buyer["country"].astext,
        _Charged.buyer["vat_number"].astext,
        func.coalesce(_Confirmed.buyer["vat_number"].astext, VatFollowUp.number),
        func.coalesce(_Sold.supplied_on, _Sold.issued_on, SUPPLIED_ON),
        func.coalesce(_ChargedFirst.supplied_on, _ChargedFirst.issued_on, _Charged.issued_on),
    )
    .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
    .outerjoin(_Replaced, _Replaced.id == Invoice.corrects_id)
    .outerjoin(_Charged, _Charged.number == InvoiceLine.from_invoice)
    .outerjoin(
        _Confirmed,
        and_(_Confirmed.order_id == _Charged.order_id, _Confirmed.reason == InvoiceReason.VAT_NUMBER_CONFIRMED),
    )
    .outerjoin(
        VatFollowUp, and_(VatFollowUp.order_id == _Charged.order_id, VatFollowUp.reason == FollowUpReason.SET_ASIDE)
    )
    .outerjoin(_Sold, and_(_Sold.order_id == Invoice.order_id, _Sold.reason == InvoiceReason.ORDER))
    .outerjoin(
        _ChargedFirst, and_(_ChargedFirst.order_id == _Charged.order_id, _ChargedFirst.reason == InvoiceReason.ORDER)
    )
    .order_by(Invoice.id, InvoiceLine.position)
)


def _summed_up(lines: Iterable[_Line]) -> dict[Share, tuple[int, int]]:
    """Net and VAT of each share that is not zero; of the first if all are."""
    sums: dict[Share, tuple[int, int]] = {}
    for row in lines:
        for share, net, tax in _parts(row):
            before = sums.get(share, (0, 0))
            sums[share] = (before[0] + row.sign * net, before[1] + row.sign * tax)
    return {share: sum_ for share, sum_ in sums.items() if any(sum_)} or dict([*sums.items()][:1])


def _parts(row: _Line) -> Iterator[tuple[Share, int, int]]:
    """The line's charge; what a later change credited of it before VAT became due on the rest; and its credit."""
    line = row.line
    own = _levy(row.seller, row.buyer, line.tax_treatment, line.tax_rate, row.number)
    yield Share(own, row.corrects_number, row.sold_on), line.tax_base_minor, line.charge_tax_minor
    if credited_later := line.charge_minor - line.tax_base_minor:
        # That change credited it under the reverse charge, as it was charged: both together are nothing.
        without_vat = _levy(row.seller, row.buyer, Treatment.REVERSE_CHARGE, Decimal(0), row.replaced_number)
        yield Share(without_vat, row.corrects_number, row.sold_on), credited_later, 0
    if line.unused_minor or line.unused_tax_minor:
        amends, sold_on = line.from_invoice or row.corrects_number, row.charge_sold_on or row.sold_on
        yield Share(_credited(row), amends, sold_on), -line.unused_minor, -line.unused_tax_minor


def _credited(row: _Line) -> Levy:
    """That of the charge for the period that is credited."""
    line = row.line
    rate = line.from_tax_rate or Decimal(0)
    if row.charged_seller is None or row.charged_buyer is None:
        number = row.replaced_number if row.corrects_id else row.number
        return _levy(row.seller, row.buyer, line.from_tax_treatment, rate, number)
    confirmed = row.confirmed_number if line.from_tax_treatment is Treatment.REVERSE_CHARGE else None
    number = confirmed or row.charged_number
    return _levy(row.charged_seller, row.charged_buyer, line.from_tax_treatment, rate, number)


def _levy(seller: str, buyer: str, treatment: Treatment | None, rate: Decimal, number: str | None) -> Levy:
    charged_by = treatment and vat.levied_in(treatment, seller_country=seller, buyer_country=buyer)
    without_vat = vat.state_of(buyer) if treatment is Treatment.REVERSE_CHARGE else buyer
    return Levy(seller, charged_by or without_vat, treatment, rate, number)
