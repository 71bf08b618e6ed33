"""A payment that was recorded on an invoice is withdrawn: it belongs to another one, or the bank called the transfer back.

The sum is owed again. Recording a payment moves no balance, sends no letter and changes neither order nor subscription, so nothing else is undone.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from models import timeline
from models.errors import Explained
from models.invoices import Invoice, InvoiceKind, Receivable, ReceivableStatus
from models.timeline_kinds import Kind
from models.withdrawn_payments import WithdrawnPayment
from tasks.billing import lost_documents, receivables
from tasks.billing.receivables import WrongDay
from tasks.plain_text import name_typed, typed
from tasks.wiring import now, policy


class NotPaid(Explained):
    """There is no payment of the document that could be withdrawn; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    amount_minor: int
    currency: str
    paid_at: datetime
    unpaid_at: datetime
    owed_on: str
    """number of the invoice that asks for it now: the same or, if a correction has replaced that one, the replacement"""
    owed_minor: int
    """all that is owed on that one"""


def mark_unpaid(session: Session, number: str, *, on: datetime, by: str, why: str) -> Withdrawal:
    """Record that invoice `number`, which counts as paid, is not paid after all, from the day of `on`. Raises UnknownDocument, NotPaid, WrongDay.

    If a correction has replaced the invoice, the sum owed on the replacement grows by it. Locks what `receivables.mark_paid` does.
    """
    paid, invoice, paid_at = _paid(session, number)
    paid_on, unpaid_on = _days(number, paid_at, on)
    if receivables.was_returned(session, invoice.order_id):
        raise NotPaid(
            f"what was paid on {number} became the account's balance when order {invoice.order_number} was refunded, so nothing is owed on it any"
            " more, and no command takes balance back: settle the transfer with the customer yourself"
        )
    owed, asking = _ask_again(session, paid, invoice)
    unpaid_at = max(on, paid_at)  # of one day
    withdrawn = WithdrawnPayment(
        invoice_id=invoice.id, amount_minor=paid.amount_minor, paid_at=paid_at, unpaid_at=unpaid_at
    )
    session.add(withdrawn)
    facts = {"number": number, "amount_minor": paid.amount_minor, "paid_on": str(paid_on), "unpaid_on": str(unpaid_on)}
    timeline.note(session, invoice.order_id, Kind.INVOICE_UNPAID, {**facts, "by": name_typed(by), "why": typed(why)})
    return Withdrawal(paid.amount_minor, paid.currency, paid_at, unpaid_at, asking.number, owed.amount_minor)


def _paid(session: Session, number: str) -> tuple[Receivable, Invoice, datetime]:
    """The sum that counts as paid, locked after its order; its invoice; and since when. Raises UnknownDocument, NotPaid."""
    locked = receivables.lock(session, number)
    if locked is None:
        raise NotPaid(_why_never(session, number))
    owed, invoice = locked
    if owed.status is not ReceivableStatus.PAID or owed.settled_at is None:
        raise NotPaid(f"{number} is not recorded as paid: it is {owed.status}")
    return owed, invoice, owed.settled_at


def _why_never(session: Session, number: str) -> str:
    """Why no transfer was ever recorded under that number, and what to do instead. Raises UnknownDocument."""
    document = lost_documents.numbered(session, number)
    if document.kind is InvoiceKind.CREDIT_NOTE:
        return f"{number} is a credit note: nothing was owed on it, so no transfer was recorded"
    if document.due_minor:
        return (
            f"{number} was paid by card when it was issued, on {document.issued_on}, not by transfer: the money is at the payment provider,"
            f" and `prorata orders refund {document.order_number}` gives it back"
        )
    return (
        f"nothing was left to pay on {number} when it was issued, on {document.issued_on}, so no transfer was recorded"
    )


def _days(number: str, paid_at: datetime, unpaid_at: datetime) -> tuple[date, date]:
    """Since when the invoice counts as paid, and since when no more. Raises WrongDay."""
    seller = policy().seller
    paid_on, unpaid_on = seller.day(paid_at), seller.day(unpaid_at)
    if not paid_on <= unpaid_on <= seller.day(now()):
        raise WrongDay(
            f"{number} is recorded as paid on {paid_on}: it cannot have become unpaid on {unpaid_on}, only from then until today"
        )
    return paid_on, unpaid_on


def _ask_again(session: Session, paid: Receivable, invoice: Invoice) -> tuple[Receivable, Invoice]:
    """Make the sum owed again, and return on what: itself, or the sum on the invoice that replaced this one. Raises NotPaid."""
    replacement = receivables.replacement(session, invoice)
    if replacement is None:
        paid.status, paid.settled_at = ReceivableStatus.OPEN, None
        return paid, invoice
    owed, asking = replacement
    if owed.status is not ReceivableStatus.OPEN:
        raise NotPaid(
            f"{asking.number} replaced {invoice.number}, and the rest that was owed on it is {owed.status}: withdraw that first, with"
            f" `prorata invoices unpaid {asking.number}`; then {asking.number} asks for all of it"
        )
    paid.status, paid.settled_at = ReceivableStatus.CANCELLED, asking.issued_at
    owed.amount_minor += paid.amount_minor
    return owed, asking
