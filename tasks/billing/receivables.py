"""Sums that customers owe on invoices and pay by transfer: a person records when the money has arrived.

If the order is undone, what was paid becomes balance: no card was charged, and we know no bank account to send it to.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import ledger, timeline
from models.errors import Explained
from models.invoices import Invoice, InvoiceKind, InvoiceReason, Receivable, ReceivableStatus
from models.ledger import Cause, LedgerMovement, MovementKind, cause_of
from models.orders import Order
from models.rules.timezone import local
from models.states import Step
from models.timeline_kinds import Kind
from tasks.billing import lost_documents
from tasks.wiring import now, policy


class NothingOwed(Explained):
    """There is no open sum on the document; the message says why."""


class WrongDay(Explained):
    """Money cannot have arrived on that day."""


def owe(session: Session, document: Invoice, amount_minor: int) -> None:
    """Record that the customer owes `amount_minor` on the document; it is never charged automatically."""
    due_at = document.payment_due_at or document.issued_at + policy().payment_terms
    owed = Receivable(invoice_id=document.id, amount_minor=amount_minor, currency=document.currency, due_at=due_at)
    session.add(owed)
    session.flush()


def due_on(due_at: datetime, document_timezone: str) -> date:
    """The day by which the document asks for the money. It is overdue when that day is over."""
    return local(due_at, document_timezone).date()


def mark_paid(session: Session, number: str, *, on: datetime, by: str) -> Receivable:
    """Record that the whole sum owed on invoice `number` has arrived. Raises UnknownDocument, NothingOwed, WrongDay.

    If a correction has replaced the invoice meanwhile, the sum owed on the replacement is reduced by it.
    The order is locked before the receivable, as in corrections and refunds: any other sequence could deadlock with them.
    """
    locked = lock(session, number)
    if locked is None:
        raise NothingOwed(_why_nothing(session, number))
    owed, invoice = locked
    still_owed = _still_owed(session, owed, invoice)
    _check_day(invoice, on)
    owed.status, owed.settled_at = ReceivableStatus.PAID, on
    if still_owed is not owed:
        still_owed.amount_minor -= owed.amount_minor
    timeline.note(
        session, invoice.order_id, Kind.INVOICE_PAID, {"number": number, "amount_minor": owed.amount_minor, "by": by}
    )
    return owed


def lock(session: Session, number: str) -> tuple[Receivable, Invoice] | None:
    """The sum that is, or was, owed on the invoice, locked after its order. None if nothing ever was."""
    of_order = select(Order.id).join(Invoice, Invoice.order_id == Order.id).where(Invoice.number == number)
    session.execute(of_order.with_for_update(of=Order))
    query = select(Receivable, Invoice).join(Invoice, Invoice.id == Receivable.invoice_id)
    row = session.execute(query.where(Invoice.number == number).with_for_update(of=Receivable)).one_or_none()
    return None if row is None else (row[0], row[1])


def _why_nothing(session: Session, number: str) -> str:
    """Why nothing was ever owed under that number. Raises UnknownDocument."""
    document = lost_documents.numbered(session, number)
    if document.kind is InvoiceKind.CREDIT_NOTE:
        return f"nothing is owed on {number}: it is a credit note"
    how = "it was paid by card" if document.due_minor else "nothing was left to pay"
    return f"nothing is owed on {number}: {how} when it was issued, on {document.issued_on}"


def _still_owed(session: Session, owed: Receivable, invoice: Invoice) -> Receivable:
    """The open sum: this one or, if a correction has cancelled it, the one on the replacing invoice. Raises NothingOwed."""
    by_another = replacement(session, invoice) if owed.status is ReceivableStatus.CANCELLED else None
    still_owed = owed if by_another is None else by_another[0]
    if still_owed.status is not ReceivableStatus.OPEN:
        instead = (
            f"; {by_another[1].number} replaced it, which is {still_owed.status}" if by_another is not None else ""
        )
        raise NothingOwed(f"nothing is owed on {invoice.number} any more: it is {owed.status}{instead}")
    return still_owed


def _check_day(invoice: Invoice, on: datetime) -> None:
    """Raises WrongDay."""
    seller = policy().seller
    if not invoice.issued_on <= seller.day(on) <= seller.day(now()):
        raise WrongDay(
            f"{invoice.number} was issued on {invoice.issued_on}: it cannot have been paid on {seller.day(on)}, "
            "only from then until today"
        )


def replacement(session: Session, invoice: Invoice) -> tuple[Receivable, Invoice] | None:
    """The sum on the invoice that replaced this one, and that invoice: the same sum plus VAT, so more than on this one."""
    query = (
        select(Receivable, Invoice)
        .join(Invoice, Invoice.id == Receivable.invoice_id)
        .where(Invoice.corrects_id == invoice.id, Invoice.sign == 1)
    )
    row = session.execute(query.with_for_update(of=Receivable)).one_or_none()
    return None if row is None else (row[0], row[1])


def still_open(session: Session, order_ids: Collection[UUID]) -> Mapping[UUID, tuple[Invoice, Receivable]]:
    """What is still owed, by order, in one query. At most one sum of an order is open: a correction cancels the one before."""
    query = select(Invoice, Receivable).join(Receivable, Receivable.invoice_id == Invoice.id)
    rows = session.execute(query.where(Invoice.order_id.in_(order_ids), Receivable.status == ReceivableStatus.OPEN))
    return {invoice.order_id: (invoice, owed) for invoice, owed in rows}


def of_own_invoice(session: Session, order_id: UUID) -> ReceivableStatus:
    """Whether what the order's own invoice asks for has come, or is asked for by another by now."""
    of_own = Invoice.order_id == order_id, Invoice.reason == InvoiceReason.ORDER
    query = select(Receivable.status).join(Invoice, Invoice.id == Receivable.invoice_id)
    return session.scalar(query.where(*of_own)) or ReceivableStatus.OPEN


def cancel_open(session: Session, order: Order) -> int:
    """Cancel what is still owed on the order's invoices. Returns how much that was, in minor units of its currency."""
    issued = select(Invoice.id).where(Invoice.order_id == order.id)
    cancelled = session.scalars(
        update(Receivable)
        .where(Receivable.invoice_id.in_(issued), Receivable.status == ReceivableStatus.OPEN)
        .values(status=ReceivableStatus.CANCELLED, settled_at=now())
        .returning(Receivable.amount_minor)
    )
    return sum(cancelled)


def return_to_balance(session: Session, order: Order) -> None:
    """Credit to the balance, once, what was paid by transfer on the order's invoices; in the transaction that reverses them."""
    if paid := paid_by_transfer(session, order.id):
        ledger.post_for(
            session, order, MovementKind.CREDITED, paid, cause=Cause.TRANSFER_CREDIT, step=Step.REFUND_PAYMENT
        )


def was_returned(session: Session, order_id: UUID) -> bool:
    """Whether `return_to_balance` has credited anything for the order."""
    cause = cause_of(order_id, Cause.TRANSFER_CREDIT)
    return session.scalar(select(LedgerMovement.id).where(LedgerMovement.cause == cause)) is not None


def paid_by_transfer(session: Session, order_id: UUID) -> int:
    """What was paid by transfer on all of the order's invoices, in minor units of its currency."""
    query = (
        select(func.sum(Receivable.amount_minor))
        .join(Invoice, Invoice.id == Receivable.invoice_id)
        .where(Invoice.order_id == order_id, Receivable.status == ReceivableStatus.PAID)
    )
    return int(session.scalar(query) or 0)
