"""Documents as the PDFs that customers got, for an archive."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import invoices
from models.invoices import Invoice
from tasks.billing.attachments import attached
from tasks.ports import Attachment


def count(session: Session, first: date, last: date) -> int:
    return session.scalar(select(func.count()).select_from(Invoice).where(Invoice.issued_on.between(first, last))) or 0


def document_pdfs(session: Session, first: date, last: date) -> Iterator[Attachment]:
    """Of all documents that were issued from `first` to `last`; those of one day are read at a time."""
    within = Invoice.issued_on.between(first, last)
    for day in session.scalars(select(Invoice.issued_on).where(within).distinct().order_by(Invoice.issued_on)).all():
        query = select(Invoice).where(Invoice.issued_on == day)
        for document in session.scalars(query.order_by(Invoice.series, Invoice.year, Invoice.sequence)).all():
            yield attached(document, invoices.lines_of(session, document))
