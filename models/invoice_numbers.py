"""Numbers a document and inserts it: the numbers of a series are consecutive, without repeats or gaps, and their days never go back.

One statement does both, because it locks the series' row until the transaction ends, and all of a seller's orders wait for that lock.
Who waits for it may have read the clock before midnight, and be numbered after somebody who read it later: such a document gets the later day.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Insert, String, bindparam, case, cast, exists, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models import row_inserts
from models.base import Base
from models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceSeries
from models.prepared import Prepared

SERIES = {InvoiceKind.INVOICE: "INV", InvoiceKind.CREDIT_NOTE: "CN"}
_DIGITS = 6
_NUMBER = re.compile(r"([A-Z]{1,10})-([0-9]{4})-([0-9]{1,9})")


class InvoiceNumber(NamedTuple):
    series: str
    year: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.series}-{self.year}-{self.sequence:0{_DIGITS}d}"

    @classmethod
    def read(cls, text: str) -> "InvoiceNumber | None":
        """The number that `text` is, or None. Zeros may be left out; a series begins at 1."""
        found = _NUMBER.fullmatch(text)
        return cls(found[1], int(found[2]), int(found[3])) if found and int(found[3]) else None


def insert_numbered(session: Session, document: Invoice, lines: Sequence[InvoiceLine]) -> bool:
    """Give `document` the next number of its kind's series in the year of its day, and insert it with its `lines`.

    If the series' last document is of the day after, it gets that day. If that one is later still, a clock was wrong, and it keeps its own.
    Inserts nothing and returns False if the cause already has a document. Other transactions that issue in the same series wait until this
    one ends; if this one is rolled back, the next one gets the number. Issue as late as possible, and a credit note before an
    invoice, so that two transactions never deadlock.
    """
    for line in lines:
        line.invoice_id = document.id
    with_it, later = lines[: row_inserts.MOST_ROWS - 1], lines[row_inserts.MOST_ROWS - 1 :]
    given = [row_inserts.given_columns(row) for row in (document, *with_it)]
    statement = _numbered(*(tuple(values) for values in given))
    numbered = statement.one_or_none(
        session,
        {
            **row_inserts.numbered_parameters(given),
            "of_series": SERIES[document.kind],
            "of_year": document.issued_on.year,
            "of_day": document.issued_on,
            "of_cause": document.cause,
        },
    )
    if numbered is None:
        return False
    document.series, document.year, document.sequence, document.number, document.issued_on = numbered
    row_inserts.insert_rows(session, *later)
    return True


def day_of_both(session: Session, day: date) -> date:
    """The day that a credit note and an invoice of one transaction both get: `day`, or what `insert_numbered` would give to either.

    Locks the two series as that does, in the same order: that of the credit notes is begun where the year has none yet, or there would be nothing to lock.
    """
    first = upsert(InvoiceSeries).values(series=SERIES[InvoiceKind.CREDIT_NOTE], year=day.year, last_sequence=0)
    session.execute(first.on_conflict_do_nothing())
    query = select(InvoiceSeries.last_issued_on).where(
        InvoiceSeries.series.in_(SERIES.values()),
        InvoiceSeries.year == day.year,
    )
    last = session.scalars(query.order_by(InvoiceSeries.series).with_for_update())  # CN comes before INV
    for other in sorted(filter(None, last)):
        if other == day + timedelta(days=1):
            day = other
    return day


@cache
def _numbered(document: tuple[str, ...], *lines: tuple[str, ...]) -> Prepared[str, int, int, str, date]:
    """Inserts the given columns of a document and of its lines; returns its series, year, sequence, number and day, or no row."""
    taken = _taken().cte("taken")
    sequence = cast(taken.c.last_sequence, String)
    padded = func.lpad(sequence, func.greatest(func.length(sequence), _DIGITS), "0")
    numbered = {
        "series": taken.c.series,
        "year": taken.c.year,
        "sequence": taken.c.last_sequence,
        "number": taken.c.series + "-" + cast(taken.c.year, String) + "-" + padded,
        "issued_on": taken.c.last_issued_on,
    }
    rows = [_inserted(InvoiceLine, at, names, taken) for at, names in enumerate(lines, start=1)]
    statement = _inserted(Invoice, 0, document, taken, **numbered).add_cte(
        *(row.cte(f"row_{at}") for at, row in enumerate(rows))
    )
    return Prepared(
        statement.returning(Invoice.series, Invoice.year, Invoice.sequence, Invoice.number, Invoice.issued_on)
    )


def _taken() -> Insert:
    """Takes the number, unless the cause already has its document."""
    first = select(
        bindparam("of_series", type_=InvoiceSeries.series.type),
        bindparam("of_year", type_=InvoiceSeries.year.type),
        literal(1),
        bindparam("of_day", type_=InvoiceSeries.last_issued_on.type),
    ).where(~exists().where(Invoice.cause == bindparam("of_cause")))
    insertion = upsert(InvoiceSeries).from_select(["series", "year", "last_sequence", "last_issued_on"], first)
    day, last = insertion.excluded.last_issued_on, InvoiceSeries.last_issued_on
    values = {
        "last_sequence": InvoiceSeries.last_sequence + 1,
        "last_issued_on": case((last == day + 1, last), else_=day),
    }
    return insertion.on_conflict_do_update(index_elements=["series", "year"], set_=values).returning(
        InvoiceSeries.series, InvoiceSeries.year, InvoiceSeries.last_sequence, InvoiceSeries.last_issued_on
    )


def _inserted(table: type[Base], at: int, names: Sequence[str], taken: CTE, **computed: ColumnElement[Any]) -> Insert:
    """One row, where a number was taken. at: which of the statement's rows, as in `row_inserts.numbered_parameters`."""
    into = table.metadata.tables[table.__tablename__]
    values = {name: bindparam(f"{name}_{at}", type_=into.columns[name].type) for name in names} | computed
    return (
        insert(into)
        .from_select(list(values), select(*values.values()).select_from(taken), include_defaults=False)
        .inline()
    )
