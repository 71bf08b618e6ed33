"""Issues an order's invoice, and the credit note that reverses it, in the same transaction as what they document.

An order that costs something gets an invoice; one that gives more than it takes, a credit note.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import invoices
from models.invoices import Invoice, InvoiceReason
from models.orders import Order, OrderLine
from models.states import PaymentKind
from tasks.billing import attachments, documents, receivables
from tasks.billing.documents import Draft, Settlement
from tasks.billing.invoice_lines import copy_of, frozen
from tasks.refunds import refunded


def issue(session: Session, order: Order, lines: Sequence[OrderLine]) -> Invoice | None:
    """The order's own document; None if it contains only trials, which cost nothing and are not a supply to invoice."""
    if all(line.interval is None for line in lines):
        return None
    settlement = Settlement(
        balance_used_minor=order.balance_used_minor,
        due_minor=order.due_minor,
        to_balance_minor=order.to_balance_minor,
        payment_due_at=order.payment_due_at,
    )
    draft = Draft(
        order=order,
        cause=f"order:{order.id}:invoice",
        reason=InvoiceReason.ORDER,
        lines=frozen(session, order, lines),
        settlement=settlement,
    )
    document = documents.write(session, draft)
    attachments.keep_document(order, document, draft.lines)
    if order.payment_kind is PaymentKind.INVOICE and order.due_minor:
        receivables.owe(session, document, order.due_minor)
    return document


def issue_credit_note(session: Session, order: Order) -> Invoice | None:
    """Reverse the document in force of an order that was refunded; None if none was issued. A repeated call returns the same document."""
    original = document_in_force(session, order)
    if original is None:
        return None
    receivables.cancel_open(session, order)
    settlement = Settlement(
        by_the_order=not refunded.was_settled_outside(session, order.id),
        paid_before_minor=refunded.refunded_minor(session, order.id),
        to_balance_minor=order.balance_used_minor + receivables.paid_by_transfer(session, order.id),
        balance_used_minor=order.to_balance_minor,
    )
    lines = [copy_of(line) for line in invoices.lines_of(session, original)]
    reversal = Draft(
        order=order,
        cause=f"order:{order.id}:refund",
        reason=InvoiceReason.REFUND,
        lines=lines,
        settlement=settlement,
        sign=-1,
        corrects=original,
        buyer=original.buyer,
    )
    return documents.write(session, reversal)


def document_in_force(session: Session, order: Order) -> Invoice | None:
    """The order's document in force: the first, or the one that replaced it."""
    return session.scalar(invoices.in_force(select(Invoice).where(Invoice.order_id == order.id)))
