"""The documents that go with a letter, as PDF."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import invoices
from models.invoices import Invoice, InvoiceReason
from models.states import LetterKind
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import page
from tasks.ports import Attachment

GOES_WITH: Final[Mapping[LetterKind, tuple[InvoiceReason, ...]]] = {
    LetterKind.CONFIRMATION: (InvoiceReason.ORDER,),
    LetterKind.REFUND_NOTICE: (InvoiceReason.REFUND,),
    LetterKind.VAT_CORRECTION: (InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED),
}


def of(session: Session, order_id: UUID, kind: LetterKind) -> tuple[Attachment, ...]:
    """The order's documents that a letter of `kind` brings, in the order of their issue."""
    query = select(Invoice).where(Invoice.order_id == order_id, Invoice.reason.in_(GOES_WITH.get(kind, ())))
    return tuple(_attached(session, document) for document in session.scalars(query.order_by(Invoice.id)))


def _attached(session: Session, document: Invoice) -> Attachment:
    content = as_pdf(page(document, invoices.lines_of(session, document)))
    return Attachment(f"{document.number}.pdf", "application/pdf", content)
