"""The documents attached to a letter: as PDF, and what the letter says about them."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models import invoices, order_cache
from models.invoices import Invoice, InvoiceLine, InvoiceReason, Receivable, ReceivableStatus
from models.orders import Order
from models.states import LetterKind
from tasks.invoices import row_vat
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import page
from tasks.invoices.settlement import bank_account, is_owed, payment_terms
from tasks.letters.enclosed import Enclosed, Owed
from tasks.letters.wording import Wording
from tasks.ports import Attachment

GOES_WITH: Final[Mapping[LetterKind, tuple[InvoiceReason, ...]]] = {
    LetterKind.CONFIRMATION: (InvoiceReason.ORDER,),
    LetterKind.REFUND_NOTICE: (InvoiceReason.REFUND,),
    LetterKind.VAT_CORRECTION: (InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED),
}


WithLines = tuple[Invoice, Sequence[InvoiceLine]]

_DOCUMENTS = (
    select(Invoice)
    .where(Invoice.order_id == bindparam("of"), Invoice.reason.in_(bindparam("reasons", expanding=True)))
    .order_by(Invoice.id)
)


def for_letter(session: Session, order: Order, kind: LetterKind) -> tuple[Attachment, ...]:
    """The order's documents to attach to a letter of `kind`, in the order of their issue."""
    return tuple(attached(*each) for each in _read(session, order, kind))


def enclosed(session: Session, order: Order, kind: LetterKind) -> tuple[Enclosed, ...]:
    """The same, as the letter's text describes them."""
    return tuple(_told(session, document) for document, _ in _read(session, order, kind))


def credited_in(session: Session, order: Order) -> dict[int, str]:
    """Whose VAT each line of the order credits, by position, as its own document has it."""
    read = _read(session, order, LetterKind.CONFIRMATION)
    return {position: country for _, lines in read for position, country in row_vat.credited_in(lines).items()}


def _read(session: Session, order: Order, kind: LetterKind) -> Sequence[WithLines]:
    def read() -> list[WithLines]:
        return [(document, invoices.lines_of(session, document)) for document in documents(session, order.id, kind)]

    return order_cache.once(order, f"documents with {kind}", read)


def keep_document(order: Order, document: Invoice, lines: Sequence[InvoiceLine]) -> None:
    """Cache the order's own document, which has just been written, for its confirmation."""
    order_cache.keep(order, f"documents with {LetterKind.CONFIRMATION}", [(document, lines)])


def documents(session: Session, order_id: UUID, kind: LetterKind) -> Sequence[Invoice]:
    reasons = GOES_WITH.get(kind)
    return session.scalars(_DOCUMENTS, {"of": order_id, "reasons": reasons}).all() if reasons else ()


def corrected_vat(session: Session, order: Order) -> int:
    """VAT that was due after all, or below zero given back, in minor units of the order's currency."""
    return sum(document.tax_minor for document, _ in _read(session, order, LetterKind.VAT_CORRECTION))


def _told(session: Session, document: Invoice) -> Enclosed:
    """The sum owed may have changed since the document was issued: the invoice that it replaced was paid, for example."""
    w = Wording(document.language, document.currency, document.timezone)
    owed = _owed(session, document.id) if is_owed(document) else None
    corrected = _owed(session, document.corrects_id) if document.sign == -1 else None
    return Enclosed(
        kind=document.kind,
        number=document.number,
        owed=None
        if owed is None or owed.status is not ReceivableStatus.OPEN
        else Owed(
            amount_minor=owed.amount_minor,
            due_at=owed.due_at,
            terms=tuple(payment_terms(w, document, still_owed=owed.amount_minor)),
            bank_account=bank_account(w, document),
        ),
        paid=owed is not None and owed.status is ReceivableStatus.PAID,
        cancels=document.corrects_number if corrected and corrected.status is ReceivableStatus.CANCELLED else None,
    )


def _owed(session: Session, invoice_id: UUID | None) -> Receivable | None:
    return session.scalar(select(Receivable).where(Receivable.invoice_id == invoice_id))


def attached(document: Invoice, lines: Sequence[InvoiceLine]) -> Attachment:
    """The document as PDF; always the same bytes."""
    content = as_pdf(page(document, lines))
    return Attachment(f"{document.number}.pdf", "application/pdf", content)
