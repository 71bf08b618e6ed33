"""What is still to be paid by transfer on orders."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from api_stub.schemas.amounts import money
from api_stub.schemas.invoices import StillOwed
from models.invoices import Invoice, Receivable
from tasks.billing import receivables


def by_order(session: Session, order_ids: Collection[UUID]) -> Mapping[UUID, StillOwed]:
    """In one query."""
    return {of: view(*owed) for of, owed in receivables.still_open(session, order_ids).items()}


def view(invoice: Invoice, owed: Receivable) -> StillOwed:
    return StillOwed(
        invoice=invoice.number,
        amount=money(owed.amount_minor, owed.currency, invoice.language),
        due_at=owed.due_at,
        due_on=receivables.due_on(owed.due_at, invoice.timezone),
    )
