"""The next number of a series: one after the other, none twice, none left out."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.invoices import InvoiceKind, InvoiceSeries
from models.prepared import Prepared

SERIES = {InvoiceKind.INVOICE: "INV", InvoiceKind.CREDIT_NOTE: "CN"}


_NEXT = Prepared[int](
    upsert(InvoiceSeries)
    .values(series=bindparam("series"), year=bindparam("year"), last_sequence=1)
    .on_conflict_do_update(index_elements=["series", "year"], set_={"last_sequence": InvoiceSeries.last_sequence + 1})
    .returning(InvoiceSeries.last_sequence)
)


class InvoiceNumber(NamedTuple):
    series: str
    year: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.series}-{self.year}-{self.sequence:06d}"


def next_number(session: Session, kind: InvoiceKind, issued_on: date) -> InvoiceNumber:
    """Take the next number of the kind's series and the day's year.

    Whoever else issues in that series waits until this transaction ends; if it is rolled back, the next one gets the number.
    Take it as late as can be, and a credit note's before an invoice's, so that two transactions never wait for each other.
    """
    series, year = SERIES[kind], issued_on.year
    sequence = _NEXT.scalar(session, {"series": series, "year": year})
    if sequence is None:
        raise AssertionError("an upsert that always writes returns its row")
    return InvoiceNumber(series, year, sequence)
