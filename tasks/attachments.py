"""The documents that go with a letter, as PDF."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models import invoices
from models.invoices import Invoice, InvoiceReason
from models.states import LetterKind
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import page
from tasks.letters.vat_correction import VatCorrection
from tasks.ports import Attachment

GOES_WITH: Final[Mapping[LetterKind, tuple[InvoiceReason, ...]]] = {
    LetterKind.CONFIRMATION: (InvoiceReason.ORDER,),
    LetterKind.REFUND_NOTICE: (InvoiceReason.REFUND,),
    LetterKind.VAT_CORRECTION: (InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED),
}


_DOCUMENTS = (
    select(Invoice)
    .where(Invoice.order_id == bindparam("of"), Invoice.reason.in_(bindparam("reasons", expanding=True)))
    .order_by(Invoice.id)
)


def of(session: Session, order_id: UUID, kind: LetterKind) -> tuple[Attachment, ...]:
    """The order's documents that a letter of `kind` brings, in the order of their issue."""
    return tuple(_attached(session, document) for document in documents(session, order_id, kind))


def documents(session: Session, order_id: UUID, kind: LetterKind) -> Sequence[Invoice]:
    reasons = GOES_WITH.get(kind)
    return session.scalars(_DOCUMENTS, {"of": order_id, "reasons": reasons}).all() if reasons else ()


def correction(session: Session, order_id: UUID) -> VatCorrection | None:
    """What the VAT of an order was corrected by, for the letter that says so; None where it was not."""
    corrected = documents(session, order_id, LetterKind.VAT_CORRECTION)
    if not corrected:
        return None
    return VatCorrection(
        vat_minor=sum(document.tax_minor for document in corrected),
        documents=tuple(document.number for document in corrected),
        due_at=corrected[-1].payment_due_at,
    )


def _attached(session: Session, document: Invoice) -> Attachment:
    content = as_pdf(page(document, invoices.lines_of(session, document)))
    return Attachment(f"{document.number}.pdf", "application/pdf", content)
