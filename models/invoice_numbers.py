"""The next number of a series: one after the other, none twice, none left out."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import bindparam, exists, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.invoices import Invoice, InvoiceKind, InvoiceSeries
from models.prepared import Prepared

SERIES = {InvoiceKind.INVOICE: "INV", InvoiceKind.CREDIT_NOTE: "CN"}


_NEXT = Prepared[int](
    upsert(InvoiceSeries)
    .from_select(
        ["series", "year", "last_sequence"],
        select(
            bindparam("series", type_=InvoiceSeries.series.type),
            bindparam("year", type_=InvoiceSeries.year.type),
            literal(1),
        ).where(~exists().where(Invoice.cause == bindparam("cause"))),
    )
    .on_conflict_do_update(index_elements=["series", "year"], set_={"last_sequence": InvoiceSeries.last_sequence + 1})
    .returning(InvoiceSeries.last_sequence)
)


class InvoiceNumber(NamedTuple):
    series: str
    year: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.series}-{self.year}-{self.sequence:06d}"


def next_number(session: Session, kind: InvoiceKind, issued_on: date, *, cause: str) -> InvoiceNumber | None:
    """Take the next number of the kind's series in that day's year; None where `cause` already has its document.

    Other transactions that issue in the same series wait until this one ends; if this one is rolled back, the next one gets the number.
    Take the number as late as possible, and a credit note's before an invoice's, so that two transactions never deadlock.
    """
    series, year = SERIES[kind], issued_on.year
    sequence = _NEXT.scalar(session, {"series": series, "year": year, "cause": cause})
    return None if sequence is None else InvoiceNumber(series, year, sequence)
