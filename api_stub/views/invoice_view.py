"""Invoices and credit notes with what is owed on them, read from the tables."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_stub.schemas.amounts import Money, money
from api_stub.schemas.invoices import InvoiceView, OwedView
from models.invoices import Invoice, InvoiceLine, Receivable
from tasks.billing import receivables
from tasks.invoices.corrected import corrected


def views(session: Session, issued: Sequence[Invoice]) -> list[InvoiceView]:
    """In two queries, however many there are."""
    ids = [document.id for document in issued]
    lines = _lines(session, ids)
    owed = {row.invoice_id: row for row in session.scalars(select(Receivable).where(Receivable.invoice_id.in_(ids)))}
    return [_view(document, lines[document.id], owed.get(document.id)) for document in issued]


def _lines(session: Session, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[InvoiceLine]]:
    """By document."""
    found: dict[UUID, list[InvoiceLine]] = {each: [] for each in ids}
    for line in session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id.in_(ids))):
        found[line.invoice_id].append(line)
    return found


def _view(document: Invoice, lines: Sequence[InvoiceLine], owed: Receivable | None) -> InvoiceView:
    def shown(minor: int) -> Money:
        return money(minor, document.currency, document.language)

    base = f"/v1/orders/{document.order_id}/invoice"
    return InvoiceView(
        number=document.number,
        kind=document.kind,
        reason=document.reason,
        order_id=document.order_id,
        issued_on=document.issued_on,
        corrects=document.corrects_number,
        corrects_all=corrected(document, lines),
        net=shown(document.net_minor),
        tax=shown(document.tax_minor),
        total=shown(document.total_minor),
        owed=_owed(document, owed) if owed else None,
        links={form: f"{base}.{form}?number={document.number}" for form in ("pdf", "html")},
    )


def _owed(document: Invoice, owed: Receivable) -> OwedView:
    return OwedView(
        amount=money(owed.amount_minor, owed.currency, document.language),
        due_at=owed.due_at,
        due_on=receivables.due_on(owed.due_at, document.timezone),
        status=owed.status,
    )
